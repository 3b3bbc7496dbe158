import pytest

from ci.lifecycle.deploy import Deployer, Stack, _alone
from fonderie.core.errors import RefusedError


@pytest.mark.parametrize(
    "name",
    ["evil.tf", "override.tf.json", "x_override.tf.json", "terraform.tfvars", "x.auto.tfvars", "y.auto.tfvars.json",
     "terraform.d"],
)  # fmt: skip
def test_what_lies_beside_a_synthesised_stack_is_not_read(tmp_path, name):
    """Terraform reads the whole folder, and the review saw one file of it. Source: "Files and Directories"."""
    (tmp_path / "cdk.tf.json").write_text("{}")
    (tmp_path / name).write_text("")
    with pytest.raises(RefusedError, match=f"{name} is not synthesised"):
        Deployer({}).terraform(Stack("dev-data", tmp_path))


def test_what_terraform_writes_there_may_stay(tmp_path):
    (tmp_path / "cdk.tf.json").write_text("{}")
    for name in (".terraform", ".terraform.lock.hcl", "terraform.tfstate", "terraform.tfstate.backup"):
        (tmp_path / name).touch()
    _alone(Stack("dev-data", tmp_path))
