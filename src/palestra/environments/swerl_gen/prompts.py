"""What the model is asked, for rows that do not bring their own words."""

from collections.abc import Mapping

REPAIR = """\
A user of the code below has written this issue.

<issue>
{issue}
</issue>

{files}

Find the cause and repair it. Answer with edits between <solution> and </solution>, each in a code block of its own:

<solution>
```python
### path/of/the/file.py
<<<<<<< SEARCH
whole lines of the file, exactly as they are, with their indentation
=======
the lines that take their place
>>>>>>> REPLACE
```
</solution>

A searched text is replaced where it occurs first in its file; make it long enough to be found in the right place."""

REPRODUCTION = """\
A user of the code below has written this issue.

<issue>
{issue}
</issue>

{files}

Write a Python script that tells whether the issue is there. It is run in the folder that holds the files, and ends
- with exit code 2 if the issue is there, as it is now,
- with exit code 0 if it is gone, as it will be when the code is repaired,
- with exit code 1 if something unexpected happens.
Look at what the code does, not at how it is written. Answer with the whole script in one ```python block."""


def files_text(files: Mapping[str, str]) -> str:
    return "\n\n".join(f"[{path}]\n```python\n{text.rstrip()}\n```" for path, text in files.items())
