#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The schema alone, the webhook and the reconciler's rules agree on every PodFlame of one table. The schema is that of a
# copy of the kind, in a group that the webhook does not see; the rules see the table in a unit test (test_corpus).
. "$(dirname "$0")/lib.sh"
new_namespace
crd=corpusflames.corpus.profilepod.io
trap 'kubectl delete crd $crd --ignore-not-found --wait=false >/dev/null; finish' EXIT
sed -e "s/^  name: podflames\.profilepod\.io$/  name: $crd/" -e 's/^  group: profilepod\.io$/  group: corpus.profilepod.io/' \
    -e 's/plural: podflames/plural: corpusflames/' -e 's/singular: podflame/singular: corpusflame/' \
    -e '/shortNames:/d' -e '/categories:/d' config/crd/bases/*.yaml | kubectl apply -f - >/dev/null
kubectl wait --for=condition=Established "crd/$crd" --timeout=30s >/dev/null
e2e/corpus/judge corpus.profilepod.io "$NS"
