import { isQualifiedName } from '../../names.ts';
import { compareQuantities, quantityValue } from '../../quantity.ts';
import type { Findings } from '../findings.ts';

const resizeStatuses = [
  'ControllerResizeInProgress',
  'ControllerResizeInfeasible',
  'NodeResizeInProgress',
  'NodeResizeInfeasible',
  'NodeResizePending',
];

/** Source: ValidatePersistentVolumeClaimStatusUpdate of pkg/apis/core/validation. */
export function validateClaimStatus({ status }: { status?: any }, _old: unknown, findings: Findings): void {
  const { capacity, allocatedResources, allocatedResourceStatuses } = status ?? {};
  const positive = (value: string, path: string): boolean => {
    if (compareQuantities(value, '0') >= 0) return true;
    findings.invalid(path, quantityValue(value), 'must be a valid resource quantity');
    return false;
  };
  for (const name in capacity) positive(capacity[name], `status.capacity[${name}]`);
  const statusPath = 'status.allocatedResourceStatuses';
  for (const name in allocatedResourceStatuses) {
    validateKey(name, statusPath, findings);
    if (!resizeStatuses.includes(allocatedResourceStatuses[name])) {
      findings.notSupported(statusPath, name, resizeStatuses);
    }
  }
  for (const name in allocatedResources) {
    if (!validateKey(name, 'status.allocatedResources', findings)) continue;
    positive(allocatedResources[name], `status.allocatedResources[${name}]`);
  }
}

/** `storage`, or a name of someone's own. */
function validateKey(name: string, path: string, findings: Findings): boolean {
  const details = isQualifiedName(name);
  findings.invalidEach(path, name, details);
  if (details.length > 0) return false;
  const isNative = !name.includes('/') || name.includes('kubernetes.io/');
  if (!isNative || name === 'storage') return true;
  findings.notSupported(path, name, ['storage']);
  return false;
}
