"""The directory of the company and the mailbox."""

from datetime import date
from typing import Any

from palestra import tool

from .office import NOW, Office
from .tables import COLUMNS, Row, page_of


class CompanyDirectoryTool(Office):
    prefix = "company_directory_"

    @tool
    def company_directory_find_email_address(self, name: str = "") -> list[str] | str:
        """Find the email addresses of colleagues by name; upper and lower case are the same.

        Args:
            name: The name or a part of it.
        """
        if not name:
            return "Name not provided."
        return [address for address in self.tables.addresses if name.lower() in address.lower()]


class EmailTool(Office):
    prefix = "email_"

    @tool
    def email_get_email_information_by_id(self, email_id: str, field: str) -> dict[str, Any] | str:
        """Read one field of an email.

        Args:
            email_id: Id of the email.
            field: One of email_id, inbox/outbox, sender/recipient, subject, sent_datetime, body.
        """
        if not email_id:
            return "Email ID not provided."
        if not field:
            return "Field not provided."
        row = self.emails.get(email_id)
        if row is None:
            return "Email not found."
        if field not in row:
            return f"Field '{field}' not found. Available fields: {', '.join(COLUMNS['emails'])}"
        return {field: row[field]}

    @tool
    def email_search_emails(
        self, query: str = "", date_min: str = "", date_max: str = "", page: int = 1, page_size: int = 5
    ) -> dict[str, Any] | str:
        """Find emails, newest first. All words of the query must occur in subject, body or address.

        Args:
            query: Words to look for.
            date_min: Earliest day on which the email was sent, as YYYY-MM-DD.
            date_max: Latest day on which the email was sent, as YYYY-MM-DD.
            page: Number of the page, from 1.
            page_size: Emails on a page.
        """
        try:
            earliest, latest = as_day(date_min), as_day(date_max)
        except ValueError as error:
            return f"Error searching emails: {error}"
        words = query.lower().split()
        found = [row for row in self.emails if holds(row, words) and lies_between(row, earliest, latest)]
        if not found:
            return "No emails found."
        found.sort(key=lambda row: str(row["sent_datetime"]), reverse=True)
        return page_of(found, "emails", page, page_size)

    @tool
    def email_send_email(self, recipient: str, subject: str, body: str) -> str:
        """Send an email.

        Args:
            recipient: Address to send it to.
            subject: The subject line.
            body: The text.
        """
        if not recipient or not subject or not body:
            return "Recipient, subject, or body not provided."
        if "@" not in recipient or "." not in recipient:
            return "Invalid recipient email address."
        content = ("outbox", recipient.lower(), subject, NOW, body)
        # The original's ids of sent emails have no leading zeros.
        self.emails.add(0, dict(zip(COLUMNS["emails"][1:], content, strict=True)))
        return "Email sent successfully."

    @tool
    def email_delete_email(self, email_id: str) -> str:
        """Delete an email.

        Args:
            email_id: Id of the email.
        """
        if not email_id:
            return "Email ID not provided."
        row = self.emails.get(email_id)
        if row is None:
            return "Email not found."
        self.emails.delete(row)
        return "Email deleted successfully."

    @tool
    def email_forward_email(self, email_id: str, recipient: str) -> str:
        """Forward an email.

        Args:
            email_id: Id of the email.
            recipient: Address to send it to.
        """
        if not email_id or not recipient:
            return "Email ID or recipient not provided."
        row = self.emails.get(email_id)
        if row is None:
            return "Email not found."
        said = self.email_send_email(recipient, f"FW: {row['subject']}", row["body"])
        return "Email forwarded successfully." if said == "Email sent successfully." else said

    @tool
    def email_reply_email(self, email_id: str, body: str) -> str:
        """Answer an email: its address gets an email with the same subject.

        Args:
            email_id: Id of the email.
            body: The text of the answer.
        """
        if not email_id or not body:
            return "Email ID or body not provided."
        row = self.emails.get(email_id)
        if row is None:
            return "Email not found."
        said = self.email_send_email(row["sender/recipient"], f"RE: {row['subject']}", body)
        return "Email replied successfully." if said == "Email sent successfully." else said


def as_day(text: str) -> str:
    """A day as it stands at the start of a time in the tables; nothing where there is no bound. Raises ValueError."""
    return date.fromisoformat(text.strip()[:10]).isoformat() if text else ""


def holds(row: Row, words: list[str]) -> bool:
    text = f"{row['subject']} {row['body']} {row['sender/recipient']}".lower()
    return all(word in text for word in words)


def lies_between(row: Row, earliest: str, latest: str) -> bool:
    day = str(row["sent_datetime"])[:10]
    return day >= earliest and (not latest or day <= latest)
