#!/usr/bin/env sh
# Node, Terraform and Kustomize into .tools/bin, checked against their published SHA-256; Python, git and make are in the image.
set -eu

TOOLS=$PWD/.tools
NODE=20.18.1
NODE_SHA256=c6fa75c841cbffac851678a472f2a5bd612fff8308ef39236190e1f8dbb0e567
TERRAFORM=1.11.4
TERRAFORM_SHA256=1ce994251c00281d6845f0f268637ba50c0005657eb3cf096b92f753b42ef4dc
KUSTOMIZE=5.5.0
KUSTOMIZE_SHA256=6703a3a70a0c47cf0b37694030b54f1175a9dfeb17b3818b623ed58b9dbc2a77

fetch() { # address, SHA-256, file
    curl --fail --silent --show-error --location --retry 3 --output "$3" "$1"
    echo "$2  $3" | sha256sum --check --quiet
}

mkdir -p "$TOOLS/bin"
fetch "https://nodejs.org/dist/v$NODE/node-v$NODE-linux-x64.tar.xz" "$NODE_SHA256" /tmp/node.tar.xz
tar -xJf /tmp/node.tar.xz -C "$TOOLS" --strip-components=1
fetch "https://releases.hashicorp.com/terraform/$TERRAFORM/terraform_${TERRAFORM}_linux_amd64.zip" "$TERRAFORM_SHA256" /tmp/terraform.zip
python3 -m zipfile -e /tmp/terraform.zip "$TOOLS/bin"
chmod +x "$TOOLS/bin/terraform"
fetch "https://github.com/kubernetes-sigs/kustomize/releases/download/kustomize/v$KUSTOMIZE/kustomize_v${KUSTOMIZE}_linux_amd64.tar.gz" "$KUSTOMIZE_SHA256" /tmp/kustomize.tar.gz
tar -xzf /tmp/kustomize.tar.gz -C "$TOOLS/bin" kustomize
