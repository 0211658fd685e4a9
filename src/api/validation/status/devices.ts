import { semanticEqual } from '../../equality.ts';
import type {
  AllocatedDeviceStatus,
  AllocationResult,
  DeviceRequestAllocationResult,
  NetworkDeviceData,
  ResourceClaim,
  ResourceClaimConsumerReference,
} from '../../generated/resource-v1.ts';
import { schemaOf } from '../../generated-schema.ts';
import { isDns1123Label, isDns1123Subdomain } from '../../names.ts';
import { deviceKey } from '../../strategies/resource-claims.ts';
import { validateBinding, validateDriver } from '../device-names.ts';
import { requestNames, validateConfiguration, validateReference } from '../devices.ts';
import { FIELD_IS_IMMUTABLE, type Findings } from '../findings.ts';
import { goValue } from '../go-value.ts';
import { parseCidr } from '../networking/ip-address.ts';
import { validateNodeSelector } from '../pods/scheduling.ts';
import { validateConditions } from './conditions.ts';

const allocationSchema = schemaOf('io.k8s.api.resource.v1.AllocationResult')!;
const mostConsumers = 256;
const mostResults = 32;
const mostConfigurations = 64;
const mostConditions = 8;
const mostAddresses = 16;
const longestData = 10 * 1024;
const longestPoolName = 253;
const longestInterfaceName = 256;
const longestHardwareAddress = 128;

/** Source: ValidateResourceClaimStatusUpdate of pkg/apis/resource/validation. */
export function validateResourceClaimStatus(claim: ResourceClaim, old: ResourceClaim, findings: Findings): void {
  const { allocation, reservedFor = [], devices = [] } = claim.status ?? {};
  const before = old.status ?? {};
  each(reservedFor, mostConsumers, 'status.reservedFor', findings, validateConsumer, ({ uid }) => uid ?? '');
  const allocated = new Set((allocation?.devices?.results ?? []).map(deviceKey));
  const validateDevice = (device: AllocatedDeviceStatus, path: string) =>
    validateDeviceStatus(device, allocated, path, findings);
  each(devices, Number.POSITIVE_INFINITY, 'status.devices', findings, validateDevice, sharedDevice);
  if (reservedFor.length > 0 && allocation === undefined) {
    findings.forbidden('status.reservedFor', 'may not be specified when `allocated` is not set');
  } else if (claim.metadata.deletionTimestamp !== undefined) {
    const known = new Set(before.reservedFor?.map(consumerKey));
    if (reservedFor.some((consumer) => !known.has(consumerKey(consumer)))) {
      findings.forbidden(
        'status.reservedFor',
        'new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set',
      );
    }
  }
  if (allocation === undefined) return;
  if (before.allocation !== undefined) {
    if (!semanticEqual(allocation, before.allocation)) {
      findings.invalid('status.allocation', goValue(allocationSchema, allocation), FIELD_IS_IMMUTABLE);
    }
  } else validateAllocation(allocation, requestNames(claim.spec?.devices?.requests), findings);
}

/** Too many are not looked at one by one; with `keyOf`, no two may be the same. */
function each<T>(
  items: T[],
  maximum: number,
  path: string,
  findings: Findings,
  validate: (item: T, path: string, findings: Findings) => void,
  keyOf?: (item: T) => unknown,
): void {
  if (items.length > maximum) {
    findings.tooMany(path, items.length, maximum);
    return;
  }
  for (const [index, item] of items.entries()) validate(item, `${path}[${index}]`, findings);
  if (keyOf === undefined) return;
  const seen = new Set<string>();
  items.forEach((item, index) => {
    const key = keyOf(item);
    const text = JSON.stringify(key);
    if (seen.has(text)) findings.duplicate(`${path}[${index}]`, key);
    seen.add(text);
  });
}

const consumerKey = ({ apiGroup, resource, name, uid }: ResourceClaimConsumerReference): string =>
  JSON.stringify([apiGroup ?? '', resource ?? '', name ?? '', uid ?? '']);

function validateConsumer(consumer: ResourceClaimConsumerReference, path: string, findings: Findings): void {
  for (const field of ['resource', 'name', 'uid'] as const) if (!consumer[field]) findings.required(`${path}.${field}`);
}

/** As upstream's messages write one. */
const sharedDevice = ({ driver = '', pool = '', device = '', shareID = '' }: Partial<AllocatedDeviceStatus>) => ({
  Driver: driver,
  Pool: pool,
  Device: device,
  ShareID: shareID,
});

function validateDeviceStatus(
  status: AllocatedDeviceStatus,
  allocated: Set<string>,
  path: string,
  findings: Findings,
): void {
  validateDevice(status, path, findings);
  if (status.shareID !== undefined) validateUuid(status.shareID, `${path}.shareID`, findings);
  if (!allocated.has(deviceKey(status))) {
    findings.invalid(path, sharedDevice(status), 'must be an allocated device in the claim');
  }
  const { conditions = [], data, networkData } = status;
  if ((conditions ?? []).length > mostConditions) {
    findings.tooMany(`${path}.conditions`, conditions.length, mostConditions);
  }
  validateConditions(conditions ?? [], `${path}.conditions`, findings);
  if (data !== undefined && data !== null) validateData(data, `${path}.data`, findings);
  if (networkData !== undefined) validateNetworkData(networkData, `${path}.networkData`, findings);
}

function validateData(data: unknown, path: string, findings: Findings): void {
  if (Buffer.byteLength(JSON.stringify(data)) > longestData) findings.tooLong(path, longestData);
  else if (typeof data !== 'object' || Array.isArray(data)) {
    findings.invalid(path, '<value omitted>', 'must be a valid JSON object');
  }
}

function validateNetworkData(data: NetworkDeviceData, path: string, findings: Findings): void {
  const { interfaceName = '', hardwareAddress = '', ips = [] } = data;
  if (Buffer.byteLength(interfaceName) > longestInterfaceName) {
    findings.tooLong(`${path}.interfaceName`, longestInterfaceName);
  }
  if (Buffer.byteLength(hardwareAddress) > longestHardwareAddress) {
    findings.tooLong(`${path}.hardwareAddress`, longestHardwareAddress);
  }
  each(ips, mostAddresses, `${path}.ips`, findings, validateInterfaceAddress, (address) => address);
}

/** Source: IsValidInterfaceAddress of apimachinery. */
function validateInterfaceAddress(address: string, path: string, findings: Findings): void {
  const cidr = parseCidr(address);
  if (cidr === undefined) {
    const example = 'must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)';
    findings.invalid(path, address, example);
    return;
  }
  const canonical = `${cidr.address}/${cidr.length}`;
  if (address !== canonical)
    findings.invalid(path, address, `must be in canonical form (${JSON.stringify(canonical)})`);
}

function validateDevice(
  { driver, pool, device = '' }: { driver?: string; pool?: string; device?: string },
  path: string,
  findings: Findings,
): void {
  validateDriver(driver, `${path}.driver`, findings);
  if (!pool) findings.required(`${path}.pool`);
  else {
    if (pool.length > longestPoolName) findings.tooLong(`${path}.pool`, longestPoolName);
    for (const part of pool.split('/')) findings.invalidEach(`${path}.pool`, part, isDns1123Subdomain(part));
  }
  findings.invalidEach(`${path}.device`, device, isDns1123Label(device));
}

function validateAllocation({ devices, nodeSelector }: AllocationResult, names: Set<string>, findings: Findings): void {
  const path = 'status.allocation';
  const validateResult = (result: DeviceRequestAllocationResult, at: string) => {
    validateReference(result.request ?? '', names, `${at}.request`, findings);
    validateDevice(result, at, findings);
    validateBinding(result, at, findings);
    if (result.shareID !== undefined) validateUuid(result.shareID, `${at}.shareID`, findings);
  };
  each(devices?.results ?? [], mostResults, `${path}.devices.results`, findings, validateResult);
  each(devices?.config ?? [], mostConfigurations, `${path}.devices.config`, findings, (config, at) => {
    const { source } = config;
    if (!source) findings.required(`${at}.source`);
    else if (source !== 'FromClass' && source !== 'FromClaim') {
      findings.notSupported(`${at}.source`, source, ['FromClaim', 'FromClass']);
    }
    const validateName = (name: string, place: string) => validateReference(name, names, place, findings);
    each(config.requests ?? [], mostResults, `${at}.requests`, findings, validateName, (name) => name);
    validateConfiguration(config, at, findings);
  });
  if (nodeSelector !== undefined) validateNodeSelector(nodeSelector, `${path}.nodeSelector`, findings);
}

function validateUuid(uid: string, path: string, findings: Findings): void {
  const problem = uuidProblem(uid);
  if (problem !== undefined) findings.invalid(path, uid, `error validating uid: ${problem}`);
  else if (uid.length !== 36 || uid !== uid.toLowerCase()) {
    const form = '`xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase hexadecimal characters';
    findings.invalid(path, uid, `uid must be in RFC 4122 normalized form, ${form}`);
  }
}

const plainUuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** In the words of github.com/google/uuid. */
function uuidProblem(text: string): string | undefined {
  const malformed = 'invalid UUID format';
  switch (Buffer.byteLength(text)) {
    case 36:
      return plainUuid.test(text) ? undefined : malformed;
    case 45:
      if (text.slice(0, 9).toLowerCase() !== 'urn:uuid:') {
        return `invalid urn prefix: ${JSON.stringify(text.slice(0, 9))}`;
      }
      return plainUuid.test(text.slice(9)) ? undefined : malformed;
    case 38:
      if (!text.startsWith('{') || !text.endsWith('}')) return 'invalid bracketed UUID format';
      return plainUuid.test(text.slice(1, -1)) ? undefined : malformed;
    case 32:
      return /^[0-9a-f]{32}$/i.test(text) ? undefined : malformed;
    default:
      return `invalid UUID length: ${Buffer.byteLength(text)}`;
  }
}
