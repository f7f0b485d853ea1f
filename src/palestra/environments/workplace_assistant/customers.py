"""The customers."""

from collections.abc import Mapping
from typing import Any

from palestra import tool

from .office import Office, one_of
from .tables import COLUMNS, Row, page_of

FIELDS = COLUMNS["customers"]
STATUSES = ("Qualified", "Won", "Lost", "Lead", "Proposal")
SEARCHED = ("customer_name", "customer_email", "product_interest", "status", "assigned_to_email")
PRODUCTS = ("Software", "Hardware", "Services", "Consulting", "Training")


class CustomerRelationshipManagerTool(Office):
    prefix = "customer_relationship_manager_"

    @tool
    def customer_relationship_manager_search_customers(  # noqa: PLR0913, PLR0917 - the original's arguments
        self,
        customer_name: str = "",
        customer_email: str = "",
        product_interest: str = "",
        status: str = "",
        assigned_to_email: str = "",
        last_contact_date_min: str = "",
        last_contact_date_max: str = "",
        follow_up_by_min: str = "",
        follow_up_by_max: str = "",
        page: int = 1,
        page_size: int = 5,
    ) -> dict[str, Any] | str:
        """Find the customers that contain all that is given.

        Args:
            customer_name: Name of the customer or a part of it.
            customer_email: Address of the customer or a part of it.
            product_interest: What the customer is interested in.
            status: Where the sale stands.
            assigned_to_email: Address of the colleague, or a part of it.
            last_contact_date_min: Earliest day of the last contact, as YYYY-MM-DD.
            last_contact_date_max: Latest day of the last contact, as YYYY-MM-DD.
            follow_up_by_min: Earliest day of the next contact, as YYYY-MM-DD.
            follow_up_by_max: Latest day of the next contact, as YYYY-MM-DD.
            page: Number of the page, from 1.
            page_size: Customers on a page.
        """
        wanted = dict(
            zip(SEARCHED, (customer_name, customer_email, product_interest, status, assigned_to_email), strict=True)
        )
        spans = [
            ("last_contact_date", last_contact_date_min, last_contact_date_max),
            ("follow_up_by", follow_up_by_min, follow_up_by_max),
        ]
        if not any(wanted.values()) and not any(low or high for _, low, high in spans):
            return "No search parameters provided. Please provide at least one parameter."
        found = self.customers_with(wanted, spans)
        return page_of(found, "customers", page, page_size) if found else "No customers found."

    @tool
    def customer_relationship_manager_update_customer(self, customer_id: str, field: str, new_value: str) -> str:
        """Change one field of a customer.

        Args:
            customer_id: Id of the customer.
            field: One of customer_name, assigned_to_email, customer_email, customer_phone, last_contact_date,
                product_interest, status, notes, follow_up_by.
            new_value: What the field shall hold.
        """
        if not customer_id or not field or not new_value:
            return "Customer ID, field, or new value not provided."
        wrong = problem(field, new_value)
        if wrong:
            return wrong
        row = self.customers.get(customer_id)
        if row is None:
            return "Customer not found."
        if field not in FIELDS[1:]:
            return f"Field not valid. Please choose from: {one_of(FIELDS[1:])}"
        self.customers.update(row, field, new_value.lower() if field == "assigned_to_email" else new_value)
        return "Customer updated successfully."

    @tool
    def customer_relationship_manager_add_customer(  # noqa: PLR0913, PLR0917 - the original's arguments
        self,
        customer_name: str,
        assigned_to_email: str,
        status: str,
        customer_email: str = "",
        customer_phone: str = "",
        last_contact_date: str = "",
        product_interest: str = "",
        notes: str = "",
        follow_up_by: str = "",
    ) -> str:
        """Add a customer; the id is returned.

        Args:
            customer_name: Name of the customer.
            assigned_to_email: Address of the colleague who looks after the customer.
            status: One of Qualified, Won, Lost, Lead, Proposal.
            customer_email: Address of the customer.
            customer_phone: Telephone number of the customer.
            last_contact_date: Day of the last contact, as YYYY-MM-DD.
            product_interest: One of Software, Hardware, Services, Consulting, Training.
            notes: Anything else.
            follow_up_by: Day of the next contact, as YYYY-MM-DD.
        """
        if not customer_name or not assigned_to_email or not status:
            return "Please provide all required fields: customer_name, assigned_to_email, status."
        wrong = problem("status", status) or (
            problem("product_interest", product_interest) if product_interest else None
        )
        if wrong:
            return wrong
        content = (
            assigned_to_email.lower(), customer_name, customer_email, customer_phone, last_contact_date,
            product_interest, status, follow_up_by, notes,
        )  # fmt: skip
        return self.customers.add(8, dict(zip(FIELDS[1:], content, strict=True)))

    @tool
    def customer_relationship_manager_delete_customer(self, customer_id: str) -> str:
        """Delete a customer.

        Args:
            customer_id: Id of the customer.
        """
        if not customer_id:
            return "Customer ID not provided."
        row = self.customers.get(customer_id)
        if row is None:
            return "Customer not found."
        self.customers.delete(row)
        return "Customer deleted successfully."

    def customers_with(self, wanted: Mapping[Any, str], spans: list[tuple[str, str, str]]) -> list[Row]:
        """The customers whose cells contain what is wanted of their column, and whose dates lie in the spans."""
        tests = [(column, self.finder(text)) for column, text in wanted.items() if text]
        return [
            row
            for row in self.customers
            if all(matches(row[column]) for column, matches in tests)
            and all(self.lies_between(row, column, low, high) for column, low, high in spans)
        ]

    def lies_between(self, row: Row, column: str, low: str, high: str) -> bool:
        """Whether a date lies in a span, both days counted in; with `compatible` bounds are compared as text only."""
        if not low and not high:
            return True
        cell = row[column]
        if not isinstance(cell, str):
            return False
        if not self.compatible:
            cell, low, high = cell[:10], low[:10], high[:10]
        return cell >= low and (not high or cell <= high)


def problem(field: str, value: str) -> str | None:
    """What is wrong with a value of a customer's field."""
    if field == "status" and value not in STATUSES:
        return f"Status not valid. Please choose from: {one_of(STATUSES)}"
    if field == "product_interest" and value not in PRODUCTS:
        return f"Product interest not valid. Please choose from: {one_of(PRODUCTS)}"
    return None
