import type { Steps } from '../../../base/steps.ts';
import { deepEqual, semanticEqual } from '../../equality.ts';
import type { EndpointSlice } from '../../generated/discovery-v1.ts';
import type { NetworkPolicy } from '../../generated/networking-v1.ts';
import { isDns1123Label } from '../../names.ts';
import { appArmorFromAnnotations } from '../../strategies/app-armor.ts';
import { SLICE_MANAGER_LABEL } from '../../well-known.ts';
import { warnOfAddress, warnOfCidr } from './addresses.ts';
import { warnOfFormats } from './custom-resources.ts';
import { keyPairFault } from './key-pair.ts';
import { deprecatedNodeLabel, warnOfNodeSelector, warnOfNodeSelectorTerm } from './node-labels.ts';
import { warnOfClaimSpec, warnOfPod } from './pods.ts';

/** What may be long is done in steps. */
type OnCreate = (object: any, warnings: string[]) => Steps<void> | void;
type OnUpdate = (object: any, old: any, warnings: string[]) => Steps<void> | void;

export interface KindWarnings {
  /** Of a new object as it was sent, before the server fills it in. */
  sent?: OnCreate;
  create?: OnCreate;
  update?: OnUpdate;
  status?: OnUpdate;
}

const always = (warn: OnCreate): KindWarnings => ({
  create: warn,
  update: (object, _old, warnings) => warn(object, warnings),
});

/** A name that pods are named for. */
function warnOfName(name: string, use: string, warnings: string[]): void {
  const findings = isDns1123Label(name ?? '');
  if (findings.length === 0) return;
  const why = `${use}, which can result in surprising behavior; a DNS label is recommended`;
  warnings.push(`metadata.name: this is used in ${why}: [${findings.join(' ')}]`);
}

const namesPods: OnCreate = ({ metadata }, warnings) => warnOfName(metadata.name, 'Pod names and hostnames', warnings);

/** Of those that hold a pod template: told again only when what they ask for has changed. */
function holder(template: (object: any) => any, path: string, ...more: OnCreate[]): KindWarnings {
  return {
    create(object, warnings) {
      for (const warn of more) warn(object, warnings);
      return warnOfPod(template(object), path, warnings);
    },
    update(object, old, warnings) {
      if (deepEqual(object.spec ?? object.template, old.spec ?? old.template)) return;
      return warnOfPod(template(object), path, warnings);
    },
  };
}

const inSpec = (object: any) => object.spec?.template;

function warnOfManyIndexes(spec: any, path: string, warnings: string[]): void {
  if (spec?.completionMode !== 'Indexed' || !(spec.completions > 100_000 && spec.parallelism > 10_000)) return;
  warnings.push(
    `${path}: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail`,
  );
}

const jobWarnings = holder(inSpec, 'spec.template', namesPods, ({ spec }, warnings) =>
  warnOfManyIndexes(spec, 'spec', warnings),
);
const cronJobWarnings = holder(
  ({ spec }) => spec?.jobTemplate?.spec?.template,
  'spec.jobTemplate.spec.template',
  namesPods,
  ({ spec }, warnings) => warnOfManyIndexes(spec?.jobTemplate?.spec, 'spec.jobTemplate.spec', warnings),
);
const statefulSetWarnings = holder(inSpec, 'spec.template');

/** The step `Spec` is upstream's slip, and on updates only. */
function warnOfClaimTemplates({ spec }: any, step: '' | '.Spec', warnings: string[]): void {
  spec.volumeClaimTemplates?.forEach((claim: any, index: number) => {
    warnOfClaimSpec(claim.spec ?? {}, `spec.volumeClaimTemplates[${index}]${step}`, warnings);
  });
  if (spec.revisionHistoryLimit < 0) {
    warnings.push(
      'spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended',
    );
  }
}

/** Source: pkg/api/service/warnings.go. */
function warnOfService({ metadata, spec }: any, warnings: string[]): void {
  const topologyHints = 'service.kubernetes.io/topology-aware-hints';
  if (metadata.annotations?.[topologyHints] !== undefined) {
    const instead = 'service.kubernetes.io/topology-mode';
    warnings.push(`annotation ${topologyHints} is deprecated, please use ${instead} instead`);
  }
  const isHeadless = spec.type === 'ClusterIP' && spec.clusterIP === 'None';
  const externalIPs: string[] = spec.externalIPs ?? [];
  if (spec.clusterIP && !isHeadless && spec.clusterIP !== 'None') {
    spec.clusterIPs?.forEach((address: string, index: number) => {
      warnOfAddress(`spec.clusterIPs[${index}]`, address, warnings);
    });
  }
  if (isHeadless) {
    const ignored = (field: string) => warnings.push(`spec.${field} is ignored for headless services`);
    if (spec.loadBalancerIP) ignored('loadBalancerIP');
    if (externalIPs.length > 0) ignored('externalIPs');
    if (spec.sessionAffinity !== 'None') ignored('SessionAffinity');
  }
  externalIPs.forEach((address, index) => {
    warnOfAddress(`spec.externalIPs[${index}]`, address, warnings);
  });
  if (externalIPs.length > 0 && !isHeadless && spec.type !== 'ExternalName') {
    warnings.push('spec.externalIPs is deprecated and may no longer be implemented in some clusters');
  }
  if (spec.loadBalancerIP) warnOfAddress('spec.loadBalancerIP', spec.loadBalancerIP, warnings);
  spec.loadBalancerSourceRanges?.forEach((cidr: string, index: number) => {
    warnOfCidr(`spec.loadBalancerSourceRanges[${index}]`, cidr, warnings);
  });
  if (spec.type === 'ExternalName' && externalIPs.length > 0) {
    warnings.push('spec.externalIPs is ignored when spec.type is "ExternalName"');
  }
  if (spec.type !== 'ExternalName' && spec.externalName) {
    warnings.push('spec.externalName is ignored when spec.type is not "ExternalName"');
  }
  if (spec.trafficDistribution === 'PreferClose') {
    warnings.push('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"');
  }
}

const warnOfLoadBalancer: OnUpdate = ({ status }, _old, warnings) => {
  status?.loadBalancer?.ingress?.forEach(({ ip }: any, index: number) => {
    if (ip) warnOfAddress(`status.loadBalancer.ingress[${index}]`, ip, warnings);
  });
};

const STORAGE_CLASS = 'volume.beta.kubernetes.io/storage-class';
const USE_STORAGE_CLASS = 'deprecated since v1.8; use "storageClassName" attribute instead';
const MOUNT_OPTIONS = 'volume.beta.kubernetes.io/mount-options';
const deprecatedVolumes = [
  ['cephfs', 'deprecated in v1.28, non-functional in v1.31+'],
  ['photonPersistentDisk', 'deprecated in v1.11, non-functional in v1.16+'],
  ['scaleIO', 'deprecated in v1.16, non-functional in v1.22+'],
  ['storageos', 'deprecated in v1.22, non-functional in v1.25+'],
  ['glusterfs', 'deprecated in v1.25, non-functional in v1.26+'],
  ['rbd', 'deprecated in v1.28, non-functional in v1.31+'],
] as const;

function warnOfVolume({ metadata, spec }: any, warnings: string[]): void {
  const annotation = (key: string, why: string) => {
    if (metadata.annotations?.[key] !== undefined) warnings.push(`metadata.annotations[${key}]: ${why}`);
  };
  annotation(STORAGE_CLASS, USE_STORAGE_CLASS);
  annotation(MOUNT_OPTIONS, 'deprecated since v1.31; use "mountOptions" attribute instead');
  if (spec.persistentVolumeReclaimPolicy === 'Recycle') {
    const why =
      'The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.';
    warnings.push(`spec.persistentVolumeReclaimPolicy: ${why}`);
  }
  spec.nodeAffinity?.required?.nodeSelectorTerms?.forEach((term: any, index: number) => {
    warnOfNodeSelectorTerm(term, false, `spec.nodeAffinity.required.nodeSelectorTerms[${index}]`, warnings);
  });
  for (const [plugin, why] of deprecatedVolumes) {
    if (spec[plugin]) warnings.push(`spec.${plugin === 'storageos' ? 'storageOS' : plugin}: ${why}`);
  }
}

function warnOfClaim({ metadata, spec }: any, warnings: string[]): void {
  if (metadata.annotations?.[STORAGE_CLASS] !== undefined) {
    warnings.push(`metadata.annotations[${STORAGE_CLASS}]: ${USE_STORAGE_CLASS}`);
  }
  warnOfClaimSpec(spec, 'spec', warnings);
}

function warnOfNode({ spec }: any, warnings: string[]): void {
  if (spec?.configSource) warnings.push('spec.configSource: the feature is removed');
  if (spec?.externalID) warnings.push('spec.externalID: this field is deprecated, and is unused by Kubernetes');
  spec?.podCIDRs?.forEach((cidr: string, index: number) => {
    warnOfCidr(`spec.podCIDRs[${index}]`, cidr, warnings);
  });
}

/** Addresses of controllers' own are right. */
function warnOfSlice({ metadata, endpoints }: EndpointSlice, warnings: string[]): void {
  const author = (metadata as any).labels?.[SLICE_MANAGER_LABEL] ?? '';
  if (['endpointslice-controller.k8s.io', 'endpointslicemirroring-controller.k8s.io'].includes(author)) return;
  endpoints?.forEach(({ addresses }, index) => {
    addresses?.forEach((address, at) => {
      warnOfAddress(`endpoints[${index}].addresses[${at}]`, address, warnings);
    });
  });
}

function warnOfEndpoints({ metadata, subsets }: any, warnings: string[]): void {
  if (metadata.labels?.['endpoints.kubernetes.io/managed-by'] === 'endpoint-controller') return;
  subsets?.forEach((subset: any, index: number) => {
    for (const field of ['addresses', 'notReadyAddresses']) {
      subset[field]?.forEach(({ ip }: any, at: number) => {
        warnOfAddress(`subsets[${index}].${field}[${at}].ip`, ip, warnings);
      });
    }
  });
}

function warnOfNetworkPolicy({ spec }: NetworkPolicy, warnings: string[]): void {
  const warn = (block: { cidr: string; except?: string[] } | undefined, path: string) => {
    if (!block) return;
    warnOfCidr(`${path}.ipBlock.cidr`, block.cidr, warnings);
    block.except?.forEach((cidr, index) => {
      warnOfCidr(`${path}.ipBlock.except[${index}]`, cidr, warnings);
    });
  };
  spec?.ingress?.forEach(({ from }, index) => {
    from?.forEach(({ ipBlock }, at) => {
      warn(ipBlock, `spec.ingress[${index}].from[${at}]`);
    });
  });
  spec?.egress?.forEach(({ to }, index) => {
    to?.forEach(({ ipBlock }, at) => {
      warn(ipBlock, `spec.egress[${index}].to[${at}]`);
    });
  });
}

function warnOfSecret({ type, data }: any, warnings: string[]): void {
  if (type !== 'kubernetes.io/tls') return;
  const text = (key: string) => Buffer.from(data?.[key] ?? '', 'base64').toString('latin1');
  const fault = keyPairFault(text('tls.crt'), text('tls.key'));
  if (fault !== undefined) warnings.push(fault);
}

const ENFORCE_MOUNTABLE = 'kubernetes.io/enforce-mountable-secrets';

function warnOfServiceAccount({ metadata }: any, warnings: string[]): void {
  if (metadata.annotations?.[ENFORCE_MOUNTABLE] === undefined) return;
  const why = 'deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets';
  warnings.push(`metadata.annotations[${ENFORCE_MOUNTABLE}]: ${why}`);
}

const TOKENS_IN_SECRETS =
  'spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes';

function warnOfCsiDriver({ spec }: any, warnings: string[]): void {
  const { tokenRequests, serviceAccountTokenInSecrets } = spec ?? {};
  if (tokenRequests?.length > 0 && serviceAccountTokenInSecrets === undefined) warnings.push(TOKENS_IN_SECRETS);
}

const staticSuffix = always(({ metadata }, warnings) => {
  if (!metadata.name.endsWith('.static.k8s.io')) return;
  warnings.push(
    'metadata.name: names ending with ".static.k8s.io" are reserved for static manifest-based configurations and cannot be managed via the API',
  );
});

/** By `group/resource`. Source: WarningsOnCreate and WarningsOnUpdate of the strategies in Kubernetes' pkg/registry. */
export const kindWarnings: Record<string, KindWarnings> = {
  '/pods': {
    sent(pod, warnings) {
      const use = 'deprecated since v1.30; use the "appArmorProfile" field instead';
      for (const key of appArmorFromAnnotations(pod, true)) warnings.push(`metadata.annotations[${key}]: ${use}`);
    },
    create(pod, warnings) {
      warnOfName(pod.metadata.name, "the Pod's hostname", warnings);
      return warnOfPod(pod, '', warnings);
    },
    status({ status }, _old, warnings) {
      for (const field of ['podIPs', 'hostIPs']) {
        status?.[field]?.forEach(({ ip }: any, index: number) => {
          warnOfAddress(`status.${field}[${index}].ip`, ip, warnings);
        });
      }
    },
  },
  '/podtemplates': holder(({ template }) => template, 'template'),
  '/replicationcontrollers': holder(inSpec, 'spec.template', namesPods),
  'apps/deployments': holder(inSpec, 'spec.template', namesPods),
  'apps/replicasets': holder(inSpec, 'spec.template', namesPods),
  'apps/daemonsets': holder(inSpec, 'spec.template'),
  'apps/statefulsets': {
    *create(object, warnings) {
      yield* statefulSetWarnings.create!(object, warnings) ?? [];
      warnOfClaimTemplates(object, '', warnings);
    },
    *update(object, old, warnings) {
      yield* statefulSetWarnings.update!(object, old, warnings) ?? [];
      warnOfClaimTemplates(object, '.Spec', warnings);
    },
  },
  'batch/jobs': {
    ...jobWarnings,
    update(object, old, warnings) {
      if (!deepEqual(object.spec, old.spec)) warnOfManyIndexes(object.spec, 'spec', warnings);
      return jobWarnings.update!(object, old, warnings);
    },
  },
  'batch/cronjobs': {
    ...cronJobWarnings,
    *update(object, old, warnings) {
      if (!deepEqual(object.spec, old.spec)) {
        warnOfManyIndexes(object.spec.jobTemplate?.spec, 'spec.jobTemplate.spec', warnings);
      }
      yield* cronJobWarnings.update!(object, old, warnings) ?? [];
      warnOfZone(object, warnings);
    },
  },
  '/services': { ...always(warnOfService), status: warnOfLoadBalancer },
  '/endpoints': always(warnOfEndpoints),
  '/persistentvolumes': always(warnOfVolume),
  '/persistentvolumeclaims': always(warnOfClaim),
  '/nodes': always(warnOfNode),
  '/secrets': always(warnOfSecret),
  '/serviceaccounts': {
    create: warnOfServiceAccount,
    update(account, old, warnings) {
      if (old.metadata.annotations?.[ENFORCE_MOUNTABLE] === undefined) warnOfServiceAccount(account, warnings);
    },
  },
  'discovery.k8s.io/endpointslices': {
    create(slice, warnings) {
      if (slice.addressType === 'FQDN') warnings.push('spec.addressType: FQDN endpoints are deprecated');
      warnOfSlice(slice, warnings);
    },
    update: (slice, _old, warnings) => warnOfSlice(slice, warnings),
  },
  'networking.k8s.io/networkpolicies': always(warnOfNetworkPolicy),
  'networking.k8s.io/ingresses': {
    create({ metadata, spec }, warnings) {
      const annotation = 'kubernetes.io/ingress.class';
      if (metadata.annotations?.[annotation] === undefined || spec?.ingressClassName !== undefined) return;
      warnings.push(`annotation "${annotation}" is deprecated, please use 'spec.ingressClassName' instead`);
    },
    status: warnOfLoadBalancer,
  },
  'node.k8s.io/runtimeclasses': always(({ scheduling }, warnings) => {
    for (const key in scheduling?.nodeSelector) {
      const why = deprecatedNodeLabel(key);
      if (why !== undefined) warnings.push(`scheduling.nodeSelector: ${why}`);
    }
  }),
  'storage.k8s.io/storageclasses': always(({ allowedTopologies }, warnings) => {
    allowedTopologies?.forEach(({ matchLabelExpressions }: any, index: number) => {
      matchLabelExpressions?.forEach(({ key }: any, at: number) => {
        const why = deprecatedNodeLabel(key);
        const path = `allowedTopologies[${index}].matchLabelExpressions[${at}].key`;
        if (why !== undefined) warnings.push(`${path}: ${why}`);
      });
    });
  }),
  'storage.k8s.io/csistoragecapacities': always(({ nodeTopology }, warnings) =>
    warnOfNodeSelector(nodeTopology, 'nodeTopology', warnings),
  ),
  'storage.k8s.io/csidrivers': {
    create: warnOfCsiDriver,
    update(driver, old, warnings) {
      if (!semanticEqual(driver.spec?.tokenRequests, old.spec?.tokenRequests)) warnOfCsiDriver(driver, warnings);
    },
  },
  'resource.k8s.io/resourceslices': always(({ spec }, warnings) => {
    if (spec.driver === spec.driver.toLowerCase()) return;
    const why = `driver names should be lowercase; ${JSON.stringify(spec.driver)} contains uppercase characters`;
    warnings.push(`spec.driver: ${why}`);
  }),
  'apiextensions.k8s.io/customresourcedefinitions': {
    create: (definition, warnings) => warnOfFormats(definition, undefined, warnings),
    update: warnOfFormats,
  },
  'admissionregistration.k8s.io/mutatingadmissionpolicies': staticSuffix,
  'admissionregistration.k8s.io/mutatingadmissionpolicybindings': staticSuffix,
  'admissionregistration.k8s.io/mutatingwebhookconfigurations': staticSuffix,
  'admissionregistration.k8s.io/validatingadmissionpolicies': staticSuffix,
  'admissionregistration.k8s.io/validatingadmissionpolicybindings': staticSuffix,
  'admissionregistration.k8s.io/validatingwebhookconfigurations': staticSuffix,
};

function warnOfZone({ spec }: any, warnings: string[]): void {
  if (!spec.schedule?.includes('TZ')) return;
  const link = 'https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/';
  warnings.push(`cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see ${link} for more details`);
}
