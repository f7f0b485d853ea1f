"""Whether environment.toml, all that `palestra list` and the documentation read, says what the class does."""

import json

from palestra.conformance.subject import TASKS_PROBED, Rule, Subject
from palestra.core.errors import suggestion
from palestra.wire.rows import PARAMS


async def check_manifest(subject: Subject) -> Rule:
    rule = Rule("environment.toml says what the class has")
    manifest = subject.source.manifest
    offered = await offered_tools(subject)
    say = f"environment.toml must say tools = {json.dumps(offered)}, the tools its episodes offer"
    rule.demand(list(manifest.tools) == offered, f"{say}; it says {json.dumps(list(manifest.tools))}")
    options = type(subject.options).model_fields
    for deviation in manifest.deviations:
        if deviation.option is not None:
            hint = suggestion(deviation.option, options)
            rule.demand(deviation.option in options, f"a deviation names {deviation.option!r}, no option.{hint}")
    return rule


async def offered_tools(subject: Subject) -> list[str]:
    """Names of the tools of the class, and of those that episodes add where the row brings none of its own."""
    names = dict.fromkeys(subject.host.environment_class.tools)
    for row in subject.rows[:TASKS_PROBED]:
        if PARAMS not in row:
            opening = await subject.opened(row)
            # A row that cannot be opened is reported where hostile replies are played.
            names.update(dict.fromkeys(str(tool["name"]) for tool in getattr(opening, "tools", ())))
    return list(names)
