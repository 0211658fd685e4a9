/**
 * What upstream promises of its metrics, for those that are served here; all others are ALPHA. Source:
 * kubernetes/test/instrumentation/testdata/stable-metrics-list.yaml.
 */
const promised = {
  STABLE: [
    'apiserver_admission_controller_admission_duration_seconds',
    'apiserver_admission_step_admission_duration_seconds',
    'apiserver_admission_webhook_admission_duration_seconds',
    'apiserver_current_inflight_requests',
    'apiserver_longrunning_requests',
    'apiserver_request_duration_seconds',
    'apiserver_request_total',
    'apiserver_requested_deprecated_apis',
    'apiserver_response_sizes',
    'apiserver_storage_objects',
    'apiserver_storage_size_bytes',
  ],
  BETA: [
    'apiserver_authentication_config_controller_automatic_reload_last_timestamp_seconds',
    'apiserver_authentication_config_controller_automatic_reloads_total',
    'apiserver_authorization_config_controller_automatic_reload_last_timestamp_seconds',
    'apiserver_authorization_config_controller_automatic_reloads_total',
    'apiserver_cel_compilation_duration_seconds',
    'apiserver_cel_evaluation_duration_seconds',
    'apiserver_flowcontrol_current_executing_requests',
    'apiserver_flowcontrol_current_executing_seats',
    'apiserver_flowcontrol_current_inqueue_requests',
    'apiserver_flowcontrol_dispatched_requests_total',
    'apiserver_flowcontrol_nominal_limit_seats',
    'apiserver_flowcontrol_rejected_requests_total',
    'apiserver_flowcontrol_request_wait_duration_seconds',
    'apiserver_storage_events_received_total',
    'apiserver_validating_admission_policy_check_duration_seconds',
    'apiserver_validating_admission_policy_check_total',
    'apiserver_watch_list_duration_seconds',
    'kubernetes_build_info',
    'registered_metrics_total',
    'workqueue_adds_total',
    'workqueue_depth',
    'workqueue_longest_running_processor_seconds',
    'workqueue_queue_duration_seconds',
    'workqueue_retries_total',
    'workqueue_unfinished_work_seconds',
    'workqueue_work_duration_seconds',
  ],
} as const;

const levels = new Map<string, string>(
  Object.entries(promised).flatMap(([level, names]) => names.map((name): [string, string] => [name, level])),
);
const deprecatedSince = new Map([['apiserver_storage_objects', '1.34.0']]);

const help = '# HELP ';

/**
 * Says in every help text how stable the metric is, in upstream's form, and adds how many there are of each level.
 * Changes `lines`.
 */
export function markStability(lines: string[]): void {
  const registered = 'registered_metrics_total';
  const counts = new Map<string, number>();
  const heads = `${help}${registered} Metrics by what is promised of them.`;
  lines.push(heads, `# TYPE ${registered} counter`);
  for (const [index, line] of lines.entries()) {
    if (!line.startsWith(help)) continue;
    const end = line.indexOf(' ', help.length);
    const name = line.slice(help.length, end);
    const level = levels.get(name) ?? 'ALPHA';
    const since = deprecatedSince.get(name);
    lines[index] =
      `${line.slice(0, end)} [${level}]${since === undefined ? '' : ` (Deprecated since ${since})`}${line.slice(end)}`;
    const labels = `deprecated_version="${since ?? ''}",stability_level="${level}"`;
    counts.set(labels, (counts.get(labels) ?? 0) + 1);
  }
  for (const [labels, count] of counts) lines.push(`${registered}{${labels}} ${count}`);
}
