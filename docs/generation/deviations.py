"""reference/deviations.md, from the [[deviations]] of the environments."""

from generation.tables import table
from palestra.core.discovery import every_environment
from palestra.core.manifest import Deviation

HEADER = ("NeMo Gym", "here", "why", "brought back by")


def deviations_page() -> str:
    lines = [
        "# Deviations from NeMo Gym",
        "",
        "Rows and rollouts of NeMo Gym are read as they are, and the environments judge as its environments do. Where",
        "they do not, their `environment.toml` declares it, with the reason, and it is listed here. Options are set",
        "with [`--option`](cli.md#collect-option); rewards of stored rollouts are compared with",
        "[`palestra verify`](cli.md#palestra-verify).",
        "",
    ]
    folders = {source.folder: source.manifest for source in reversed(list(every_environment()))}
    for manifest in sorted(folders.values(), key=lambda manifest: manifest.name):
        if manifest.deviations:
            rows = (row(manifest.name, deviation) for deviation in manifest.deviations)
            lines += [f"## {manifest.name}", "", *table(HEADER, rows), ""]
    return "\n".join(lines).rstrip() + "\n"


def row(environment: str, deviation: Deviation) -> tuple[str, ...]:
    option = deviation.option
    link = f"[`{option}`](environments.md#{environment}-option-{option})" if option else "-"
    return deviation.behaviour, deviation.ours, deviation.reason, link
