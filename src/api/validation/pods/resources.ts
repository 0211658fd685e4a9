import { own } from '../../../base/table.ts';
import type { ResourceRequirements } from '../../generated/core-v1.ts';
import { isQualifiedName } from '../../names.ts';
import { compareQuantities, isWholeQuantity, quantityNumber } from '../../quantity.ts';
import { computeResources, standardResources } from '../../resource-names.ts';
import { type Findings, MUST_NOT_BE_NEGATIVE } from '../findings.ts';

export const isStandardResource = (name: string): boolean => standardResources.has(name);
const isHugePage = (name: string): boolean => name.startsWith('hugepages-');
const isNative = (name: string): boolean => !name.includes('/') || name.includes('kubernetes.io/');
/** Source: IsExtendedResourceName of pkg/apis/core/helper. */
export const isExtended = (name: string): boolean =>
  !isNative(name) && !name.startsWith('requests.') && isQualifiedName(`requests.${name}`).length === 0;
const isOvercommitAllowed = (name: string): boolean => isNative(name) && !isHugePage(name);
const isInteger = (name: string): boolean =>
  (standardResources.has(name) && !/(cpu|memory|storage)$/.test(name)) || isExtended(name);

/** Upstream prints a quantity with its quotes: it is an object to Go. */
export function validateQuantity(name: string, value: string, path: string, findings: Findings): void {
  if (compareQuantities(value, '0') < 0) findings.invalid(path, value, MUST_NOT_BE_NEGATIVE);
  if (isInteger(name) && !isWholeQuantity(value)) findings.invalid(path, value, 'must be an integer');
}

const hugePageBytes = (name: string): number => quantityNumber(name.slice('hugepages-'.length));

/** Whole pages, and not fewer than none. */
function validateHugePages(name: string, value: string, path: string, findings: Findings): void {
  if (!isHugePage(name)) return;
  let pageBytes = 0;
  try {
    pageBytes = hugePageBytes(name);
  } catch {
    // Not a size: never divisible.
  }
  const bytes = quantityNumber(value);
  if (pageBytes > 0 && bytes >= 0 && bytes % pageBytes === 0) return;
  findings.invalid(path, value, `${value} is not positive integer multiple of ${name}`);
}

type CheckName = (name: string, path: string, findings: Findings) => void;

function validatePodResourceName(name: string, path: string, findings: Findings): void {
  const details = isQualifiedName(name);
  findings.invalidEach(path, name, details);
  if (details.length > 0) return;
  if (!name.includes('/') && !isHugePage(name) && !standardResources.has(name)) {
    findings.invalid(path, name, 'must be a standard resource type or fully qualified');
  } else if (name !== 'cpu' && name !== 'memory' && !isHugePage(name)) {
    findings.notSupported(path, name, ['cpu', 'hugepages-', 'memory']);
  }
}

/** resources of a pod as a whole. */
export const validatePodResourceRequirements = (
  resources: ResourceRequirements,
  path: string,
  findings: Findings,
): void => validateRequirements(resources, validatePodResourceName, path, findings);

export function validateContainerResourceName(name: string, path: string, findings: Findings): void {
  if (computeResources.includes(name)) return;
  const details = isQualifiedName(name);
  findings.invalidEach(path, name, details);
  if (details.length > 0) {
    if (!name.includes('/') && !isHugePage(name)) {
      findings.invalid(path, name, 'must be a standard resource for containers');
    }
    return;
  }
  if (!name.includes('/')) {
    if (isHugePage(name)) return;
    if (!standardResources.has(name)) {
      findings.invalid(path, name, 'must be a standard resource type or fully qualified');
    }
    findings.invalid(path, name, 'must be a standard resource for containers');
  } else if (!isNative(name) && !isExtended(name)) {
    findings.invalid(path, name, "doesn't follow extended resource name standard");
  }
}

/** resources of a container: names, amounts, and requests within limits. */
export function validateResourceRequirements(
  resources: ResourceRequirements | undefined,
  path: string,
  findings: Findings,
): void {
  if (resources !== undefined) validateRequirements(resources, validateContainerResourceName, path, findings);
}

function validateRequirements(
  { limits, requests }: ResourceRequirements,
  validateName: CheckName,
  path: string,
  findings: Findings,
): void {
  for (const name in limits) {
    const at = `${path}.limits[${name}]`;
    validateName(name, at, findings);
    validateQuantity(name, limits[name]!, at, findings);
    validateHugePages(name, limits[name]!, at, findings);
  }
  for (const name in requests) {
    const at = `${path}.requests[${name}]`;
    validateName(name, at, findings);
    const request = requests[name]!;
    validateQuantity(name, request, at, findings);
    validateHugePages(name, request, at, findings);
    const limit = own(limits, name);
    if (limit === undefined) {
      if (!isOvercommitAllowed(name)) {
        findings.required(`${path}.limits`, 'Limit must be set for non overcommitable resources');
      }
    } else if (request !== limit) {
      const order = compareQuantities(request, limit);
      if (order !== 0 && !isOvercommitAllowed(name)) {
        findings.invalid(`${path}.requests`, request, `must be equal to ${name} limit of ${limit}`);
      } else if (order > 0) {
        findings.invalid(`${path}.requests`, request, `must be less than or equal to ${name} limit of ${limit}`);
      }
    }
  }
  const names = [...Object.keys(limits ?? {}), ...Object.keys(requests ?? {})];
  if (names.some(isHugePage) && !names.includes('cpu') && !names.includes('memory')) {
    findings.forbidden(path, 'HugePages require cpu or memory');
  }
}
