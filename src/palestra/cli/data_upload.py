"""`palestra data upload`."""

import argparse
import re
from pathlib import Path

from palestra.cli.options import add_json_option
from palestra.cli.output import print_json
from palestra.core.errors import PalestraError
from palestra.data.content import content_of_path
from palestra.data.sources.gitlab import GitlabRegistry, Place
from palestra.data.sources.huggingface import SPLITS, Hub
from palestra.data.validate.files import Tally, validate
from palestra.wire.rows import PARAMS

SUMMARY = "a dataset to the Hugging Face hub or GitLab's model registry"
DESCRIPTION = """Put a file into a dataset of the Hugging Face hub (--repo-id) or of a GitLab model registry (--name).

A repository that is made is private; a version of a registry is made anew and never changed.

The file is validated first. For the split train every row needs responses_create_params, as in NeMo Gym. Tokens come
from environment variables: HF_TOKEN and MLFLOW_TRACKING_TOKEN.

exit codes: 0 done; 2 it could not start, a row is wrong, or the source failed."""
EXAMPLE = "palestra data upload tasks/train.jsonl --repo-id my_org/my_tasks --split train"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="DATA", help="rows, as JSONL")
    hub = parser.add_argument_group("Hugging Face hub")
    hub.add_argument("--repo-id", metavar="OWNER/REPO", help="a dataset repository; it is made if there is none")
    hub.add_argument("--split", choices=SPLITS, default="train", help="the file is called SPLIT.jsonl there")
    hub.add_argument("--revision", metavar="COMMIT", help="a branch")
    hub.add_argument("--message", metavar="TEXT", help="of the commit")
    hub.add_argument("--create-pr", action="store_true", help="as a pull request")
    registry = parser.add_argument_group("GitLab model registry")
    registry.add_argument("--name", metavar="DATASET", help="the name of the dataset; it is made if there is none")
    registry.add_argument("--version", metavar="VERSION", help="the new version, as 1.0.0")
    address = "the MLflow address of the project; else MLFLOW_TRACKING_URI"
    registry.add_argument("--registry-url", metavar="URL", help=address)
    add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    if not arguments.file.is_file():
        raise PalestraError("missing-file", f"no file {arguments.file}")
    if (arguments.repo_id is None) == (arguments.name is None):
        raise PalestraError("usage", "name one target: --repo-id or --name")
    require_valid(arguments.file, is_training=arguments.repo_id is not None and arguments.split == "train")
    if arguments.repo_id is not None:
        address = Hub().upload(
            arguments.repo_id,
            arguments.file,
            f"{arguments.split}.jsonl",
            revision=arguments.revision,
            message=arguments.message,
            pull_request=arguments.create_pr,
        )
    else:
        if re.fullmatch(r"\d+\.\d+\.\d+", arguments.version or "") is None:
            raise PalestraError("usage", f"--version must be three numbers as 1.0.0, got {arguments.version!r}")
        with GitlabRegistry(arguments.registry_url) as registry:
            place = Place(arguments.name, arguments.version, arguments.file.name)
            address = registry.upload(arguments.file, place)
    content = content_of_path(arguments.file)
    if arguments.json:
        print_json({"address": address, **content.to_json()})
    else:
        print(f"{address}: {content.size_bytes} bytes, sha256 {content.sha256}")
    return 0


def require_valid(path: Path, *, is_training: bool) -> None:
    """Raises PalestraError with the first row that nobody could use."""
    for finding in validate([path], Tally()):
        lacks_params = is_training and finding.rule == "no-params"
        if finding.severity == "error" or lacks_params:
            fix = f"`palestra data validate {path}` lists all of them."
            what = f"{finding}; rows for training need {PARAMS}" if lacks_params else str(finding)
            raise PalestraError("invalid-row", what, fix=fix)
