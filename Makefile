# `make up` and `make test` are all a newcomer needs; each installs what it lacks.
SHELL := /bin/sh
.PHONY: up test check unit e2e bench peers differential public-manifests images images-stop conformance conformance-clients format

up:
	./skypod up

# Everything CI runs: formatting, lint, types, layering, then every test.
test:
	scripts/test

check:
	scripts/check

unit:
	scripts/test unit

e2e:
	scripts/test e2e

bench:
	scripts/bench

# The same load on Skypod and on kube-apiserver with etcd, in turn (the latter built with Go at the first run).
peers:
	scripts/run test/peers/run.ts

# The same requests to Skypod and to kube-apiserver with etcd: prints every difference that is not explained.
differential:
	scripts/run test/peers/differential.ts

# The definitions and manifests that a dozen projects publish, created in Skypod and in kube-apiserver; what differs is printed.
public-manifests:
	scripts/run test/peers/public.ts

# Kubernetes' own conformance suite: make conformance [FOCUS=regex] [SKIP=regex] [NOT_PASSED=1]; writes docs/conformance.md.
# With BEYOND=1 the rest of the suite, as far as it is meant for any cluster; writes docs/conformance-beyond.md.
conformance:
	scripts/run test/conformance/run.ts

# Real clients (client-go, Python's, JavaScript's, several kubectl, Helm) against a simulated Skypod.
conformance-clients:
	scripts/run test/conformance/clients/run.ts

images:
	scripts/images

images-stop:
	scripts/images --stop

format:
	scripts/run --bin biome check --write .
