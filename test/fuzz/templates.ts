/** Objects that are valid as they stand: mutants of them get further than anything made up. By `resource.group/version`. */
const podSpec = {
  containers: [
    {
      name: 'main',
      image: 'registry.example/app:1',
      command: ['/app'],
      env: [
        { name: 'A', value: 'b' },
        { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
      ],
      ports: [{ containerPort: 80, protocol: 'TCP', name: 'http' }],
      resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { cpu: '1', memory: '128Mi' } },
      readinessProbe: { httpGet: { path: '/', port: 'http' }, periodSeconds: 5 },
      volumeMounts: [{ name: 'config', mountPath: '/config' }],
      securityContext: { runAsNonRoot: true, capabilities: { drop: ['ALL'] } },
    },
  ],
  initContainers: [{ name: 'first', image: 'busybox', restartPolicy: 'Always' }],
  volumes: [
    { name: 'config', configMap: { name: 'settings', items: [{ key: 'a', path: 'a' }] } },
    { name: 'scratch', emptyDir: { sizeLimit: '1Gi' } },
  ],
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In', values: ['a'] }] }],
      },
    },
  },
  topologySpreadConstraints: [
    {
      maxSkew: 1,
      topologyKey: 'zone',
      whenUnsatisfiable: 'DoNotSchedule',
      labelSelector: { matchLabels: { app: 'web' } },
    },
  ],
  tolerations: [{ key: 'a', operator: 'Exists', effect: 'NoSchedule' }],
};
const template = { metadata: { labels: { app: 'web' } }, spec: podSpec };
const selector = { matchLabels: { app: 'web' } };

export const templates: Record<string, any> = {
  'pods/v1': { metadata: { labels: { app: 'web' } }, spec: podSpec },
  'configmaps/v1': { data: { a: 'b' }, binaryData: { c: 'AAE=' } },
  'secrets/v1': { type: 'Opaque', data: { a: 'YWI=' }, stringData: { b: 'c' } },
  'services/v1': {
    spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'http', name: 'http' }], type: 'ClusterIP' },
  },
  'namespaces/v1': { metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'baseline' } } },
  'persistentvolumeclaims/v1': {
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, storageClassName: 'fast' },
  },
  'resourcequotas/v1': { spec: { hard: { 'count/widgets.example.com': '100000', 'requests.cpu': '100000' } } },
  'limitranges/v1': { spec: { limits: [{ type: 'Pod', max: { cpu: '1000' } }] } },
  'endpoints/v1': { subsets: [{ addresses: [{ ip: '10.0.0.1' }], ports: [{ port: 80 }] }] },
  'replicationcontrollers/v1': { spec: { replicas: 1, selector: { app: 'web' }, template } },
  'deployments.apps/v1': {
    spec: {
      replicas: 2,
      selector,
      template,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: 1 } },
    },
  },
  'statefulsets.apps/v1': { spec: { replicas: 1, serviceName: 'web', selector, template } },
  'daemonsets.apps/v1': { spec: { selector, template } },
  'replicasets.apps/v1': { spec: { replicas: 1, selector, template } },
  'jobs.batch/v1': { spec: { completions: 1, template: { spec: { ...podSpec, restartPolicy: 'Never' } } } },
  'cronjobs.batch/v1': {
    spec: {
      schedule: '*/5 * * * *',
      jobTemplate: { spec: { template: { spec: { ...podSpec, restartPolicy: 'OnFailure' } } } },
    },
  },
  'horizontalpodautoscalers.autoscaling/v2': {
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'fuzz-0' },
      minReplicas: 1,
      maxReplicas: 5,
      metrics: [
        { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } },
      ],
    },
  },
  'horizontalpodautoscalers.autoscaling/v1': {
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'fuzz-0' },
      maxReplicas: 5,
      targetCPUUtilizationPercentage: 50,
    },
  },
  'poddisruptionbudgets.policy/v1': { spec: { minAvailable: 1, selector } },
  'ingresses.networking.k8s.io/v1': {
    spec: {
      rules: [
        {
          host: 'a.example',
          http: {
            paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } }],
          },
        },
      ],
      tls: [{ hosts: ['a.example'], secretName: 'tls' }],
    },
  },
  'networkpolicies.networking.k8s.io/v1': {
    spec: {
      podSelector: selector,
      policyTypes: ['Ingress'],
      ingress: [
        { from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } }], ports: [{ port: 80, endPort: 90 }] },
      ],
    },
  },
  'roles.rbac.authorization.k8s.io/v1': { rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }] },
  'clusterroles.rbac.authorization.k8s.io/v1': {
    rules: [{ nonResourceURLs: ['/metrics'], verbs: ['get'] }],
    aggregationRule: { clusterRoleSelectors: [selector] },
  },
  'rolebindings.rbac.authorization.k8s.io/v1': {
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'fuzz-0' },
    subjects: [{ kind: 'User', name: 'bob', apiGroup: 'rbac.authorization.k8s.io' }],
  },
  'leases.coordination.k8s.io/v1': {
    spec: { holderIdentity: 'me', leaseDurationSeconds: 15, renewTime: '2030-01-01T00:00:00.000000Z' },
  },
  'events/v1': {
    involvedObject: { kind: 'Pod', namespace: 'default', name: 'fuzz-0' },
    reason: 'Testing',
    message: 'm',
    type: 'Normal',
    count: 1,
    firstTimestamp: '2030-01-01T00:00:00Z',
  },
  'events.events.k8s.io/v1': {
    eventTime: '2030-01-01T00:00:00.000000Z',
    reportingController: 'a.b/c',
    reportingInstance: 'x',
    action: 'a',
    reason: 'r',
    type: 'Normal',
    regarding: { kind: 'Pod', namespace: 'default', name: 'fuzz-0' },
  },
  'priorityclasses.scheduling.k8s.io/v1': { value: 100, globalDefault: false },
  'endpointslices.discovery.k8s.io/v1': {
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready: true } }],
    ports: [{ port: 80, name: 'http' }],
  },
  'flowschemas.flowcontrol.apiserver.k8s.io/v1': {
    spec: {
      priorityLevelConfiguration: { name: 'workload-low' },
      matchingPrecedence: 500,
      distinguisherMethod: { type: 'ByUser' },
      rules: [
        {
          subjects: [{ kind: 'User', user: { name: 'nobody' } }],
          resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], namespaces: ['*'], clusterScope: true }],
        },
      ],
    },
  },
  'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io/v1': {
    spec: {
      type: 'Limited',
      limited: {
        nominalConcurrencyShares: 10,
        limitResponse: { type: 'Queue', queuing: { queues: 8, handSize: 2, queueLengthLimit: 5 } },
      },
    },
  },
  'validatingadmissionpolicies.admissionregistration.k8s.io/v1': {
    spec: {
      matchConstraints: {
        resourceRules: [
          { apiGroups: ['apps'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['deployments'] },
        ],
      },
      variables: [{ name: 'n', expression: 'object.spec.replicas' }],
      matchConditions: [{ name: 'c', expression: '!has(object.metadata.labels)' }],
      validations: [{ expression: 'variables.n <= 5', messageExpression: '"no more than 5: " + string(variables.n)' }],
    },
  },
  'mutatingadmissionpolicies.admissionregistration.k8s.io/v1': {
    spec: {
      matchConstraints: {
        resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }],
      },
      failurePolicy: 'Ignore',
      reinvocationPolicy: 'Never',
      mutations: [
        {
          patchType: 'ApplyConfiguration',
          applyConfiguration: { expression: 'Object{metadata: Object.metadata{labels: {"a": "b"}}}' },
        },
      ],
    },
  },
  'certificatesigningrequests.certificates.k8s.io/v1': {
    spec: { request: 'LS0t', signerName: 'kubernetes.io/kube-apiserver-client', usages: ['client auth'] },
  },
  'storageclasses.storage.k8s.io/v1': { provisioner: 'example.com/disk', volumeBindingMode: 'Immediate' },
  'resourceclaims.resource.k8s.io/v1': {
    spec: {
      devices: {
        requests: [
          {
            name: 'gpu',
            exactly: { deviceClassName: 'gpu', selectors: [{ cel: { expression: 'device.driver == "x"' } }] },
          },
        ],
      },
    },
  },
  'tokenreviews.authentication.k8s.io/v1': { spec: { token: 'a.b.c', audiences: ['x'] } },
  'subjectaccessreviews.authorization.k8s.io/v1': {
    spec: { user: 'bob', groups: ['dev'], resourceAttributes: { verb: 'get', resource: 'pods', namespace: 'default' } },
  },
  'selfsubjectaccessreviews.authorization.k8s.io/v1': {
    spec: {
      resourceAttributes: {
        verb: 'list',
        group: 'apps',
        resource: 'deployments',
        labelSelector: { rawSelector: 'a=b' },
      },
    },
  },
  'localsubjectaccessreviews.authorization.k8s.io/v1': {
    spec: { user: 'bob', resourceAttributes: { namespace: 'default', verb: 'get', resource: 'pods' } },
  },
  'selfsubjectrulesreviews.authorization.k8s.io/v1': { spec: { namespace: 'default' } },
};

/** Bodies of subresources. */
export const subresourceTemplates: Record<string, any> = {
  scale: { kind: 'Scale', apiVersion: 'autoscaling/v1', spec: { replicas: 3 } },
  eviction: { kind: 'Eviction', apiVersion: 'policy/v1', deleteOptions: { gracePeriodSeconds: 0 } },
  binding: { kind: 'Binding', apiVersion: 'v1', target: { kind: 'Node', name: 'node-0' } },
  token: {
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    spec: { audiences: ['x'], expirationSeconds: 3600 },
  },
};

export const deleteOptions = {
  kind: 'DeleteOptions',
  apiVersion: 'v1',
  gracePeriodSeconds: 0,
  propagationPolicy: 'Background',
  preconditions: { uid: 'x', resourceVersion: '1' },
};
