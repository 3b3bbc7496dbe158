#!/usr/bin/env sh
# The base of a pull request, which Cloud Build's shallow clone lacks: fetched with the preview's token, its files in base/.
set -eu

login=$(printf 'x-access-token:%s' "$GITHUB_TOKEN" | base64 | tr -d '\n')
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="http.${GITHUB_SERVER_URL:-https://github.com}/.extraHeader"
export GIT_CONFIG_VALUE_0="Authorization: Basic $login"
git fetch --quiet --no-tags --depth=1 origin "+refs/heads/$1:refs/remotes/origin/$1"
git worktree add --quiet --detach base "origin/$1"
