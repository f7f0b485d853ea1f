"""The boards of the projects."""

from typing import Any

from palestra import tool

from .office import Office, one_of
from .tables import COLUMNS

FIELDS = COLUMNS["tasks"]
LISTS = ("Backlog", "In Progress", "In Review", "Completed")
BOARDS = ("Back end", "Front end", "Design")
NOT_A_MEMBER = "Assignee email not valid. Please choose from the list of team members."


class ProjectManagementTool(Office):
    prefix = "project_management_"

    @tool
    def project_management_get_task_information_by_id(self, task_id: str, field: str) -> dict[str, Any] | str:
        """Read one field of a task.

        Args:
            task_id: Id of the task, 8 digits.
            field: One of task_id, task_name, assigned_to_email, list_name, due_date, board.
        """
        if not task_id:
            return "Task ID not provided."
        if not field:
            return "Field not provided."
        row = self.tasks.get(task_id)
        if row is None:
            return "Task not found."
        return {field: row[field]} if field in row else "Field not found."

    @tool
    def project_management_search_tasks(
        self, task_name: str = "", assigned_to_email: str = "", list_name: str = "", due_date: str = "", board: str = ""
    ) -> list[dict[str, Any]] | str:
        """Find the tasks that contain all that is given.

        Args:
            task_name: Name of the task or a part of it.
            assigned_to_email: Address of the person who does it, in full.
            list_name: Name of the list.
            due_date: When it is due, as YYYY-MM-DD.
            board: Name of the board.
        """
        if not any((task_name, assigned_to_email, list_name, due_date, board)):
            return "No search parameters provided."
        if assigned_to_email and ("@" not in assigned_to_email or "." not in assigned_to_email):
            return "Invalid email format for assigned_to_email."
        wanted = {"task_name": task_name, "list_name": list_name, "due_date": due_date, "board": board}
        tests = [(column, self.finder(text)) for column, text in wanted.items() if text]
        address = assigned_to_email.lower()
        return [
            dict(row)
            for row in self.tasks
            if (not address or row["assigned_to_email"].lower() == address)
            and all(matches(row[column]) for column, matches in tests)
        ]

    @tool
    def project_management_create_task(
        self, task_name: str, assigned_to_email: str, list_name: str, due_date: str, board: str
    ) -> str:
        """Add a task; its id is returned.

        Args:
            task_name: Name of the task.
            assigned_to_email: Address of the person who does it.
            list_name: One of Backlog, In Progress, In Review, Completed.
            due_date: When it is due, as YYYY-MM-DD.
            board: One of Back end, Front end, Design.
        """
        if not all((task_name, assigned_to_email, list_name, due_date, board)):
            return "Missing task details."
        wrong = (
            self.task_problem("assigned_to_email", assigned_to_email)
            or self.task_problem("list_name", list_name)
            or self.task_problem("board", board)
        )
        if wrong:
            return wrong
        content = (task_name, assigned_to_email.lower(), list_name, due_date, board)
        return self.tasks.add(8, dict(zip(FIELDS[1:], content, strict=True)))

    @tool
    def project_management_delete_task(self, task_id: str) -> str:
        """Delete a task.

        Args:
            task_id: Id of the task, 8 digits.
        """
        if not task_id:
            return "Task ID not provided."
        row = self.tasks.get(task_id)
        if row is None:
            return "Task not found."
        self.tasks.delete(row)
        return "Task deleted successfully."

    @tool
    def project_management_update_task(self, task_id: str, field: str, new_value: str) -> str:
        """Change one field of a task.

        Args:
            task_id: Id of the task, 8 digits.
            field: One of task_name, assigned_to_email, list_name, due_date, board.
            new_value: What the field shall hold.
        """
        if not task_id or not field or not new_value:
            return "Task ID, field, or new value not provided."
        wrong = self.task_problem(field, new_value)
        if wrong:
            return wrong
        row = self.tasks.get(task_id)
        if row is None:
            return "Task not found."
        if field not in FIELDS[1:]:
            return "Field not valid."
        self.tasks.update(row, field, new_value.lower() if field == "assigned_to_email" else new_value)
        return "Task updated successfully."

    def task_problem(self, field: str, value: str) -> str | None:
        """What is wrong with a value of a task's field."""
        if field == "assigned_to_email" and value.lower() not in self.tables.team:
            return NOT_A_MEMBER
        if field == "list_name" and value not in LISTS:
            return f"List not valid. Please choose from: {one_of(LISTS)}."
        if field == "board" and value not in BOARDS:
            return f"Board not valid. Please choose from: {one_of(BOARDS)}."
        return None
