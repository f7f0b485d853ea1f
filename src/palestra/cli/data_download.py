"""`palestra data download`."""

import argparse
from pathlib import Path

from palestra.cli.options import add_json_option
from palestra.cli.output import print_json
from palestra.collection.generate import require_free
from palestra.core.errors import PalestraError
from palestra.data.content import content_of_path
from palestra.data.lineage import record_derivation
from palestra.data.sources.gitlab import GitlabRegistry, Place
from palestra.data.sources.huggingface import SPLITS, Hub

SUMMARY = "a dataset from the Hugging Face hub or GitLab's model registry"
DESCRIPTION = """Fetch a dataset from the Hugging Face hub (--repo-id) or a GitLab model registry (--name).

What was received stays when it breaks off; the same command goes on from there. Contents are compared with the
checksum of the source. Tokens come from environment variables: HF_TOKEN and MLFLOW_TRACKING_TOKEN.

exit codes: 0 done; 1 the file cannot be written; 2 it could not start, or the source failed."""
EXAMPLE = "palestra data download --repo-id openai/gsm8k --split train --output raw/train.jsonl"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    hub = parser.add_argument_group("Hugging Face hub")
    hub.add_argument("--repo-id", metavar="OWNER/REPO", help="a dataset repository")
    hub.add_argument("--split", choices=SPLITS, help="all files of a split, as JSONL")
    hub.add_argument("--revision", metavar="COMMIT", help="a branch, tag or commit")
    hub.add_argument("--output-dir", type=Path, metavar="DIR", help="every split as DIR/SPLIT.jsonl")
    registry = parser.add_argument_group("GitLab model registry")
    registry.add_argument("--name", metavar="DATASET", help="the name of the dataset")
    registry.add_argument("--version", metavar="VERSION", help="its version, as 1.0.0")
    address = "the MLflow address of the project; else MLFLOW_TRACKING_URI"
    registry.add_argument("--registry-url", metavar="URL", help=address)
    parser.add_argument("--artifact", metavar="PATH", help="one file of the dataset")
    parser.add_argument("--output", type=Path, metavar="F", help="where to write it")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")
    add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    require_consistent(arguments)
    outputs = wanted(arguments)
    for output in outputs.values():
        require_free(output, overwrites=arguments.overwrite)
    told = [fetched(arguments, split, output) for split, output in outputs.items()]
    if arguments.json:
        print_json({"files": told})
    else:
        for entry in told:
            print(f"{entry['path']}: {entry['size_bytes']} bytes, sha256 {entry['sha256']}")
    return 0


def require_consistent(arguments: argparse.Namespace) -> None:
    problem = None
    if (arguments.repo_id is None) == (arguments.name is None):
        problem = "name one source: --repo-id or --name"
    elif (arguments.output is None) == (arguments.output_dir is None):
        problem = "name --output or --output-dir, not both"
    elif arguments.artifact and arguments.split:
        problem = "--artifact and --split exclude each other"
    elif arguments.name and not (arguments.version and arguments.artifact and arguments.output):
        problem = "--name needs --version, --artifact and --output"
    elif arguments.repo_id and arguments.output and not (arguments.artifact or arguments.split):
        problem = "--output needs --artifact or --split"
    elif arguments.output_dir and (arguments.artifact or arguments.split):
        problem = "--output-dir fetches every split; with --artifact or --split name --output"
    if problem:
        raise PalestraError("usage", problem)


def wanted(arguments: argparse.Namespace) -> dict[str | None, Path]:
    """The outputs, by split."""
    if arguments.output is not None:
        return {arguments.split: arguments.output}
    splits = Hub().splits(arguments.repo_id, revision=arguments.revision)
    if not splits:
        raise PalestraError("source-unavailable", f"no file of {arguments.repo_id} is named after a split")
    return {split: arguments.output_dir / f"{split}.jsonl" for split in splits}


def fetched(arguments: argparse.Namespace, split: str | None, output: Path) -> dict[str, object]:
    if arguments.name is not None:
        place = Place(arguments.name, arguments.version, arguments.artifact)
        with GitlabRegistry(arguments.registry_url) as registry:
            origin = registry.download(place, output)
    elif split is not None:
        origin = Hub().download_split(arguments.repo_id, split, output, revision=arguments.revision)
    else:
        origin = Hub().download(arguments.repo_id, arguments.artifact, output, revision=arguments.revision)
    record_derivation(output, [], "download", origin)
    return {**content_of_path(output).to_json(), **origin}
