import { createHash } from 'node:crypto';
import { formatAddress, parseAddress } from '../addresses/ipv4.ts';

/**
 * Every VPC and host has one veth between the VPC's namespace and the machine's, with a pair of link-local addresses.
 * The range avoids both ends that RFC 3927 reserves and 169.254.169-171.x, where clouds keep their metadata.
 *
 * Example, index 2: the machine's end is 169.254.64.4, the VPC's end 169.254.64.5.
 */
const LINK_RANGE_BASE = parseAddress('169.254.64.0');
const LINK_COUNT = 8192;
/** Routing tables of the links: one each, numbered from here; far from what people choose by hand. */
const TABLE_BASE = 0x5b000000;

export interface LinkAddress {
  index: number;
  /** The machine's end: a process bound to it reaches the VPC. */
  machine: string;
  /** The VPC's end: what leaves the VPC wears it. */
  vpc: string;
  routingTable: number;
}

export function linkAddress(index: number): LinkAddress {
  if (!Number.isInteger(index) || index < 0 || index >= LINK_COUNT) throw new RangeError(`no link number ${index}`);
  return {
    index,
    machine: formatAddress(LINK_RANGE_BASE + 2 * index),
    vpc: formatAddress(LINK_RANGE_BASE + 2 * index + 1),
    routingTable: TABLE_BASE + index,
  };
}

/**
 * Chooses a link that nobody on this machine uses. It starts at a hash of (instance, tenant), so two Skypods that look
 * at the same moment still choose apart.
 * @param taken link addresses seen in the kernel and in our records
 */
export function chooseLink(instance: string, tenant: string, taken: ReadonlySet<string>): LinkAddress {
  const start = createHash('sha256').update(`${instance}/${tenant}`).digest().readUInt16BE(0) % LINK_COUNT;
  for (let step = 0; step < LINK_COUNT; step++) {
    const candidate = linkAddress((start + step) % LINK_COUNT);
    if (!taken.has(candidate.machine)) return candidate;
  }
  throw new Error(`all ${LINK_COUNT} VPC links of this machine are in use`);
}
