import { createHash } from 'node:crypto';

/**
 * Names in the kernel. They come from a hash of the data directory, so that two Skypods on one machine share nothing,
 * and they tell what is ours after a crash: everything with the instance's prefix.
 */
export interface KernelNames {
  /** Six hexadecimal digits. */
  instance: string;
  /** What every network namespace of this instance starts with. */
  namespacePrefix: string;
  /** What every interface of this instance in the machine's namespace starts with. */
  linkPrefix: string;
  /** The nftables table in the machine's namespace. */
  machineTable: string;
  vpcNamespace(tenant: string): string;
  podNamespace(tenant: string, uid: string): string;
  /** The machine's end of a VPC's link. Interface names end at 15 characters. */
  link(index: number): string;
}

export const NAMESPACE_DIRECTORY = '/run/netns';
/** The machine's ends of links, of whatever instance. */
export const LINK_NAME = /^sk[0-9a-f]{6}l\d+$/;
/** The VPC's end of its link. */
export const VPC_LINK = 'uplink';

export function kernelNames(dataDirectory: string): KernelNames {
  const instance = hash(dataDirectory).slice(0, 6);
  const namespacePrefix = `sk${instance}-`;
  return {
    instance,
    namespacePrefix,
    linkPrefix: `sk${instance}l`,
    machineTable: `skypod-${instance}`,
    vpcNamespace: (tenant) => `${namespacePrefix}v${hash(tenant).slice(0, 12)}`,
    podNamespace: (tenant, uid) => `${namespacePrefix}p${hash(`${tenant}/${uid}`).slice(0, 16)}`,
    link: (index) => `sk${instance}l${index}`,
  };
}

/** The VPC's end of a pod's veth: named for the address, which at most one pod has, and `ip link` reads well. */
export function podLink(address: string): string {
  return `p${address}`;
}

export function namespacePath(name: string): string {
  return `${NAMESPACE_DIRECTORY}/${name}`;
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
