#!/usr/bin/env sh
# Build the images of a commit and push them, once: a tag never moves, so an image that is there is left as it is.
# REGISTRY (LOCATION-docker.pkg.dev/PROJECT/REPOSITORY) and TAG are given; what [images] is to name is printed.
set -eu

digest() { # of an image in the registry; fails when it is not there
    docker manifest inspect --verbose "$1" 2>/dev/null | sed -n 's/.*"digest": "\(sha256:[0-9a-f]\{64\}\)".*/\1/p' | head -n 1 | grep .
}

for name in pipelines serving; do
    image="$REGISTRY/$name:$TAG"
    if digest "$image" >/dev/null; then
        echo "== $image is there already"
    else
        docker build --file "ci/images/$name.Dockerfile" --tag "$image" .
        docker push "$image"
    fi
done
echo "== [images] of infra/environments/ENVIRONMENT.toml:"
for name in pipelines serving; do
    found=$(digest "$REGISTRY/$name:$TAG") || { echo "error: the registry does not tell the digest of $REGISTRY/$name:$TAG" >&2; exit 5; }
    echo "$name = \"$REGISTRY/$name@$found\""
done
