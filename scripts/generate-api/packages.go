package main

// The packages that are read. Import paths are also where schema names come from:
// k8s.io/api/core/v1 -> io.k8s.api.core.v1.
var apiPackages = []string{
	"k8s.io/apimachinery/pkg/apis/meta/v1",
	"k8s.io/api/core/v1",
	"k8s.io/api/apps/v1",
	"k8s.io/api/batch/v1",
	"k8s.io/api/autoscaling/v1",
	"k8s.io/api/autoscaling/v2",
	"k8s.io/api/networking/v1",
	"k8s.io/api/policy/v1",
	"k8s.io/api/rbac/v1",
	"k8s.io/api/storage/v1",
	"k8s.io/api/coordination/v1",
	"k8s.io/api/discovery/v1",
	"k8s.io/api/events/v1",
	"k8s.io/api/certificates/v1",
	"k8s.io/api/authentication/v1",
	"k8s.io/api/authorization/v1",
	"k8s.io/api/admission/v1",
	"k8s.io/api/admissionregistration/v1",
	"k8s.io/api/apidiscovery/v2",
	"k8s.io/api/flowcontrol/v1",
	"k8s.io/api/node/v1",
	"k8s.io/api/scheduling/v1",
	"k8s.io/api/resource/v1",
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1",
	"k8s.io/kube-aggregator/pkg/apis/apiregistration/v1",
}

// Types that write themselves in JSON in a way of their own, by import path and name.
var special = map[string]string{
	"k8s.io/apimachinery/pkg/api/resource.Quantity":                                         "quantity",
	"k8s.io/apimachinery/pkg/apis/meta/v1.Time":                                             "time",
	"k8s.io/apimachinery/pkg/apis/meta/v1.MicroTime":                                        "microTime",
	"k8s.io/apimachinery/pkg/apis/meta/v1.Duration":                                         "duration",
	"k8s.io/apimachinery/pkg/apis/meta/v1.FieldsV1":                                         "any",
	"k8s.io/apimachinery/pkg/util/intstr.IntOrString":                                       "intOrString",
	"k8s.io/apimachinery/pkg/runtime.RawExtension":                                          "any",
	"k8s.io/apimachinery/pkg/runtime.Object":                                                "any",
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSON":                         "any",
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSONSchemaPropsOrArray":       "any",
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSONSchemaPropsOrBool":        "any",
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSONSchemaPropsOrStringArray": "any",
}

// Named types of packages that are otherwise not read.
var namedElsewhere = map[string]string{
	"k8s.io/apimachinery/pkg/types.UID":            "string",
	"k8s.io/apimachinery/pkg/types.NodeName":       "string",
	"k8s.io/apimachinery/pkg/types.PatchType":      "string",
	"k8s.io/apimachinery/pkg/types.NamespacedName": "string",
}
