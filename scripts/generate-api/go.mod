module skypod.io/scripts/generate-api

go 1.26.0

require (
	k8s.io/api v0.36.0
	k8s.io/apiextensions-apiserver v0.36.0
	k8s.io/apimachinery v0.36.0
	k8s.io/kube-aggregator v0.36.0
	k8s.io/kubernetes v1.36.0
)
