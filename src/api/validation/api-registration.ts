import type { APIService } from '../generated/apiregistration-v1.ts';
import { isDns1035Label, isDns1123Subdomain } from '../names.ts';
import { formatTime, type KubeObject } from '../object.ts';
import type { Findings } from './findings.ts';

/** Source: kube-aggregator's pkg/apis/apiregistration/validation. */
export function validateApiService(service: APIService, findings: Findings): void {
  const { spec, metadata } = service;
  const { group = '', version = '', caBundle = '', insecureSkipTLSVerify = false, service: backend } = spec;
  const name = `${version}.${group}`;
  if (metadata.name && metadata.name !== name) {
    findings.invalid(
      'metadata.name',
      metadata.name,
      `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(name)}`,
    );
  }
  if (group === '' && version !== 'v1') {
    findings.required('spec.group', 'only v1 may have an empty group and it better be legacy kube');
  }
  if (group !== '') findings.invalidEach('spec.group', group, isDns1123Subdomain(group));
  findings.invalidEach('spec.version', version, isDns1035Label(version));
  const inRange = (value: number, field: string, most: number) => {
    if (!(value > 0 && value <= most)) {
      findings.invalid(field, value, `must be positive and less than ${most}`);
    }
  };
  inRange(spec.groupPriorityMinimum, 'spec.groupPriorityMinimum', 20_000);
  inRange(spec.versionPriority, 'spec.versionPriority', 1000);
  if (backend === undefined) {
    if (caBundle !== '') {
      const length = Buffer.from(caBundle, 'base64').length;
      findings.invalid('spec.caBundle', `${length} bytes`, 'local APIServices may not have a caBundle');
    }
    if (insecureSkipTLSVerify) {
      findings.invalid('spec.insecureSkipTLSVerify', true, 'local APIServices may not have insecureSkipTLSVerify');
    }
    return;
  }
  if (!backend.namespace) findings.required('spec.service.namespace');
  if (!backend.name) findings.required('spec.service.name');
  const port = backend.port ?? 0;
  if (port < 1 || port > 65_535) {
    findings.invalid('spec.service.port', port, 'port is not valid: must be between 1 and 65535, inclusive');
  }
  if (insecureSkipTLSVerify && caBundle !== '') {
    findings.invalid('spec.insecureSkipTLSVerify', true, 'may not be true if caBundle is present');
  }
}

const statuses = ['True', 'False', 'Unknown'];

export function validateApiServiceStatus(service: APIService, findings: Findings): void {
  for (const [index, { status }] of (service.status?.conditions ?? []).entries()) {
    findings.optionalOneOf(status, `status.conditions[${index}].status`, statuses);
  }
}

/** What is served here is available from the start. */
export function prepareApiService(object: KubeObject): void {
  const status: APIService['status'] = {};
  if (object['spec']?.service === undefined) {
    status.conditions = [
      {
        type: 'Available',
        status: 'True',
        lastTransitionTime: formatTime(Date.now()),
        reason: 'Local',
        message: 'Local APIServices are always available',
      },
    ];
  }
  object['status'] = status;
}
