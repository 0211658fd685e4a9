import { registerSchema, schemaOf } from '../generated-schema.ts';
import type { KubeObject } from '../object.ts';
import type { ResourceStrategy } from '../resource-definition.ts';
import type { FieldSchema, TypeSchema, ValueSchema } from '../schema.ts';
import type { FieldError } from '../status.ts';
import { Findings } from '../validation/findings.ts';
import { validateImmutable } from '../validation/metadata.ts';
import type { ResourceFacts } from './facts.ts';
import { tenantStrategy } from './tenant-strategy.ts';

/** Skypod's own resources in the same form as Kubernetes'; their meaning is described in ../pool.ts. */

const string: ValueSchema = { kind: 'string' };
const int32: ValueSchema = { kind: 'int32' };
const int64: ValueSchema = { kind: 'int64' };
const double: ValueSchema = { kind: 'double' };
const boolean: ValueSchema = { kind: 'boolean' };
const quantity: ValueSchema = { kind: 'quantity' };
const time: ValueSchema = { kind: 'time' };
const bytes: ValueSchema = { kind: 'bytes' };
const list = (items: ValueSchema): ValueSchema => ({ kind: 'array', items });
const mapOf = (values: ValueSchema): ValueSchema => ({ kind: 'map', values });
const core = (name: string): ValueSchema => ({ kind: 'object', type: `io.k8s.api.core.v1.${name}` });

const field = (type: ValueSchema, more: Partial<FieldSchema> = {}): FieldSchema => ({
  type,
  number: 0,
  required: false,
  optional: true,
  emitted: 'set',
  ...more,
});
const required = (type: ValueSchema): FieldSchema => field(type, { required: true });

const type = (name: string, fields: Record<string, FieldSchema>): ValueSchema => {
  registerSchema({ name: `io.skypod.v1alpha1.${name}`, fields });
  return { kind: 'object', type: `io.skypod.v1alpha1.${name}` };
};

function kind(name: string, fields: Record<string, FieldSchema>): TypeSchema {
  type(name, {
    apiVersion: field(string),
    kind: field(string),
    metadata: field({ kind: 'object', type: 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' }, { emitted: 'always' }),
    ...fields,
  });
  return schemaOf(`io.skypod.v1alpha1.${name}`)!;
}

// The pool writes milliseconds in its own timestamps; they are kept as text.
const condition = type('Condition', {
  type: required(string),
  status: required(string),
  reason: field(string),
  message: field(string),
  lastTransitionTime: field(time),
  lastProbeTime: field(time),
  observedGeneration: field(int64),
});
const conditions = field(list(condition), {
  listType: 'map',
  listMapKeys: ['type'],
  patchStrategy: ['merge'],
  patchMergeKey: 'type',
});

const containerInstance = kind('ContainerInstance', {
  spec: required(
    type('ContainerInstanceSpec', {
      podRef: required(
        type('PodReference', { namespace: required(string), name: required(string), uid: required(string) }),
      ),
      zone: required(string),
      hostName: field(string),
      resources: required(type('Shape', { cpu: required(quantity), memory: required(quantity) })),
      resourceHistory: field(
        list(type('PastShape', { cpu: required(quantity), memory: required(quantity), until: required(string) })),
      ),
      podGeneration: field(int64),
      podLabels: field(mapOf(string)),
      podAnnotations: field(mapOf(string)),
      runtimeHandler: field(string),
      pod: required(core('PodSpec')),
      volumeFiles: field(
        mapOf(
          list(
            type('VolumeFile', {
              path: required(string),
              data: field(bytes),
              mode: field(int32),
              owner: field(int64),
            }),
          ),
        ),
      ),
      registryCredentials: field(
        list(
          type('RegistryCredential', {
            registry: required(string),
            username: field(string),
            password: field(string),
          }),
        ),
      ),
      vpc: required(
        type('VpcPlan', {
          serviceCidr: required(string),
          dnsAddress: required(string),
          nodeAddress: field(string),
          clusterDomain: required(string),
        }),
      ),
      configErrors: field(mapOf(string)),
    }),
  ),
  status: field(
    type('ContainerInstanceStatus', {
      phase: field(string),
      conditions,
      reason: field(string),
      message: field(string),
      hostIP: field(string),
      podIP: field(string),
      podIPs: field(list(core('PodIP'))),
      startTime: field(time),
      meteredFrom: field(string),
      meteredTo: field(string),
      initContainerStatuses: field(list(core('ContainerStatus'))),
      containerStatuses: field(list(core('ContainerStatus'))),
      ephemeralContainerStatuses: field(list(core('ContainerStatus'))),
      qosClass: field(string),
      observedGeneration: field(int64),
    }),
  ),
});

const host = kind('Host', {
  spec: required(
    type('HostSpec', {
      zone: required(string),
      zones: field(list(string)),
      unschedulable: field(boolean),
      index: field(int32),
    }),
  ),
  status: field(
    type('HostStatus', {
      conditions,
      streaming: field(type('StreamingEndpoint', { address: required(string), port: required(int32) })),
      runtime: field(type('RuntimeVersion', { name: required(string), version: required(string) })),
      capacity: field(mapOf(quantity)),
      allocatable: field(mapOf(quantity)),
      images: field(list(type('HostImage', { names: field(list(string)), sizeBytes: field(int64) }))),
    }),
  ),
});

const vpcService = kind('VpcService', {
  spec: required(
    type('VpcServiceSpec', {
      serviceRef: required(type('ServiceReference', { namespace: required(string), name: required(string) })),
      type: required(string),
      clusterIPs: field(list(string)),
      externalName: field(string),
      publishNotReadyAddresses: field(boolean),
      proxiedElsewhere: field(boolean),
      sessionAffinitySeconds: field(int32),
      ports: field(
        list(
          type('VpcServicePort', {
            // '' is the name of a service's only port.
            name: field(string),
            protocol: required(string),
            port: required(int32),
            nodePort: field(int32),
          }),
        ),
      ),
      localAt: field(list(string)),
      internalLocal: field(boolean),
      externalLocal: field(boolean),
      healthCheck: field(type('VpcServiceHealthCheck', { port: required(int32), ready: field(mapOf(int32)) })),
      endpoints: field(
        list(
          type('VpcServiceEndpoint', {
            address: required(string),
            ready: field(boolean),
            serving: field(boolean),
            node: field(string),
            near: field(list(string)),
            hostname: field(string),
            ports: field(mapOf(int32)),
          }),
        ),
      ),
    }),
  ),
});

const prefixedClaim = type('PrefixedClaim', { claim: field(string), prefix: field(string), expression: field(string) });
const jwtAuthenticator = type('JwtAuthenticator', {
  issuer: required(
    type('TokenIssuer', {
      url: required(string),
      discoveryURL: field(string),
      certificateAuthority: field(string),
      audiences: required(list(string)),
      audienceMatchPolicy: field(string),
      egressSelectorType: field(string),
    }),
  ),
  claimValidationRules: field(
    list(
      type('ClaimValidationRule', {
        claim: field(string),
        requiredValue: field(string),
        expression: field(string),
        message: field(string),
      }),
    ),
  ),
  claimMappings: required(
    type('ClaimMappings', {
      username: required(prefixedClaim),
      groups: field(prefixedClaim),
      uid: field(type('ClaimOrExpression', { claim: field(string), expression: field(string) })),
      extra: field(list(type('ExtraMapping', { key: required(string), valueExpression: required(string) }))),
    }),
  ),
  userValidationRules: field(
    list(type('UserValidationRule', { expression: required(string), message: field(string) })),
  ),
});

const tenantAuthentication = type('TenantAuthentication', { jwt: field(list(jwtAuthenticator)) });
/** Of `Tenant.spec.authentication`, and of what `--authentication-config` has in common with it. */
export const tenantAuthenticationSchema: TypeSchema = schemaOf('io.skypod.v1alpha1.TenantAuthentication')!;

const tenant = kind('Tenant', {
  spec: field(
    type('TenantSpec', {
      displayName: field(string),
      authentication: field(tenantAuthentication),
      limits: field(type('TenantLimits', { objects: field(int64), storage: field(quantity) })),
    }),
  ),
  status: field(type('TenantStatus', { phase: field(string) })),
});

const usageRecord = kind('UsageRecord', {
  spec: required(
    type('UsageRecordSpec', {
      instance: required(string),
      pod: required(type('PodName', { namespace: required(string), name: required(string) })),
      zone: required(string),
      intervalStart: required(string),
      intervalEnd: required(string),
      seconds: field(double),
      vcpuSeconds: field(double),
      gibSeconds: field(double),
    }),
  ),
});

const allVerbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const status = { name: 'status', verbs: ['get', 'patch', 'update'] };
const binding = {
  name: 'binding',
  kind: { group: '', version: 'v1', kind: 'Binding' },
  verbs: ['create'],
};

const facts = (
  group: string,
  resource: string,
  singular: string,
  kindName: string,
  more: Partial<ResourceFacts>,
): ResourceFacts => ({
  group: `${group}.skypod.io`,
  version: 'v1alpha1',
  resource,
  singular,
  kind: kindName,
  namespaced: true,
  shortNames: [],
  categories: ['skypod'],
  verbs: allVerbs,
  subresources: [],
  ...more,
});

/** As a pod: what was asked for, else the pod's own period, and none for what no host has taken. */
function instanceGracePeriodSeconds(object: { [field: string]: any }, asked: number | undefined): number {
  if (!object.spec?.hostName) return 0;
  if (object.status?.phase === 'Succeeded' || object.status?.phase === 'Failed') return asked ?? 0;
  return asked ?? object.spec?.pod?.terminationGracePeriodSeconds ?? 30;
}

/** A host is chosen once, and never again; whose pod it is and where is settled when the instance is made. Sizes change in place. */
function validateInstanceUpdate(object: KubeObject, old: KubeObject): FieldError[] {
  const findings = new Findings();
  for (const field of ['podRef', 'zone', ...(old['spec'].hostName ? ['hostName'] : [])]) {
    validateImmutable(object['spec'][field], old['spec'][field], `spec.${field}`, findings);
  }
  return findings.list;
}

/** A ledger is only ever added to. */
function validateUsageRecordUpdate(object: KubeObject, old: KubeObject): FieldError[] {
  const findings = new Findings();
  validateImmutable(object['spec'], old['spec'], 'spec', findings);
  return findings.list;
}

export const platformFacts: { facts: ResourceFacts; schema: TypeSchema; strategy?: ResourceStrategy }[] = [
  {
    facts: facts('pool', 'containerinstances', 'containerinstance', 'ContainerInstance', {
      shortNames: ['ci'],
      subresources: [binding, status],
    }),
    schema: containerInstance,
    strategy: { gracePeriodSeconds: instanceGracePeriodSeconds, validateUpdate: validateInstanceUpdate },
  },
  {
    facts: facts('pool', 'hosts', 'host', 'Host', { namespaced: false, subresources: [status] }),
    schema: host,
  },
  {
    facts: facts('network', 'vpcservices', 'vpcservice', 'VpcService', { shortNames: ['vsvc'] }),
    schema: vpcService,
  },
  {
    facts: facts('tenancy', 'tenants', 'tenant', 'Tenant', { namespaced: false, subresources: [status] }),
    schema: tenant,
    strategy: tenantStrategy,
  },
  {
    facts: facts('metering', 'usagerecords', 'usagerecord', 'UsageRecord', {}),
    schema: usageRecord,
    strategy: { validateUpdate: validateUsageRecordUpdate },
  },
];
