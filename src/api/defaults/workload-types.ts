import { setDefault, setUnset, type TypeDefaults } from './walk.ts';

/** apps/v1, batch/v1, autoscaling. Source: defaults.go of each version in Kubernetes' pkg/apis. */
export const workloadTypeDefaults: TypeDefaults = {
  'io.k8s.api.apps.v1.DeploymentSpec': (spec) => {
    setDefault(spec, 'replicas', 1);
    spec.strategy ??= {};
    setDefault(spec.strategy, 'type', 'RollingUpdate');
    if (spec.strategy.type === 'RollingUpdate') {
      spec.strategy.rollingUpdate ??= {};
      setUnset(spec.strategy.rollingUpdate, 'maxUnavailable', '25%');
      setUnset(spec.strategy.rollingUpdate, 'maxSurge', '25%');
    }
    setDefault(spec, 'revisionHistoryLimit', 10);
    setDefault(spec, 'progressDeadlineSeconds', 600);
  },
  'io.k8s.api.apps.v1.ReplicaSetSpec': (spec) => setDefault(spec, 'replicas', 1),
  'io.k8s.api.apps.v1.DaemonSetSpec': (spec) => {
    spec.updateStrategy ??= {};
    setDefault(spec.updateStrategy, 'type', 'RollingUpdate');
    if (spec.updateStrategy.type === 'RollingUpdate') {
      spec.updateStrategy.rollingUpdate ??= {};
      setUnset(spec.updateStrategy.rollingUpdate, 'maxUnavailable', 1);
      setUnset(spec.updateStrategy.rollingUpdate, 'maxSurge', 0);
    }
    setDefault(spec, 'revisionHistoryLimit', 10);
  },
  'io.k8s.api.apps.v1.StatefulSetSpec': (spec) => {
    setDefault(spec, 'podManagementPolicy', 'OrderedReady');
    spec.updateStrategy ??= {};
    if (spec.updateStrategy.type === undefined) {
      spec.updateStrategy.type = 'RollingUpdate';
      spec.updateStrategy.rollingUpdate ??= {};
    }
    if (spec.updateStrategy.type === 'RollingUpdate' && spec.updateStrategy.rollingUpdate !== undefined) {
      setDefault(spec.updateStrategy.rollingUpdate, 'partition', 0);
    }
    spec.persistentVolumeClaimRetentionPolicy ??= {};
    setDefault(spec.persistentVolumeClaimRetentionPolicy, 'whenDeleted', 'Retain');
    setDefault(spec.persistentVolumeClaimRetentionPolicy, 'whenScaled', 'Retain');
    setDefault(spec, 'replicas', 1);
    setDefault(spec, 'revisionHistoryLimit', 10);
    // Templates of claims are objects of their own kind and are written as such.
    for (const claim of spec.volumeClaimTemplates ?? []) {
      claim.apiVersion ??= 'v1';
      claim.kind ??= 'PersistentVolumeClaim';
    }
  },
  'io.k8s.api.batch.v1.CronJobSpec': (spec) => {
    setDefault(spec, 'concurrencyPolicy', 'Allow');
    setDefault(spec, 'suspend', false);
    setDefault(spec, 'successfulJobsHistoryLimit', 3);
    setDefault(spec, 'failedJobsHistoryLimit', 1);
  },
  'io.k8s.api.batch.v1.PodFailurePolicyOnPodConditionsPattern': (pattern) => setDefault(pattern, 'status', 'True'),
  'io.k8s.api.autoscaling.v1.HorizontalPodAutoscalerSpec': (spec) => setDefault(spec, 'minReplicas', 1),
  'io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerSpec': setAutoscalerDefaults,
};

function setAutoscalerDefaults(spec: any): void {
  setDefault(spec, 'minReplicas', 1);
  if (spec.metrics === undefined || spec.metrics.length === 0) {
    spec.metrics = [
      { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } },
    ];
  }
  if (spec.behavior === undefined) return;
  spec.behavior.scaleUp = {
    stabilizationWindowSeconds: 0,
    selectPolicy: 'Max',
    policies: [
      { type: 'Pods', value: 4, periodSeconds: 15 },
      { type: 'Percent', value: 100, periodSeconds: 15 },
    ],
    ...spec.behavior.scaleUp,
  };
  spec.behavior.scaleDown = {
    selectPolicy: 'Max',
    policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
    ...spec.behavior.scaleDown,
  };
}
