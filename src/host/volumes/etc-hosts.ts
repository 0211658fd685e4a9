import type { PodAddress } from '../../api/pod-network.ts';
import type { ContainerInstance } from '../../api/pool.ts';
import { hostnameOf } from '../worker/containers/container-config.ts';

/** The content of a pod's /etc/hosts, laid out as the kubelet's. */
export function etcHosts(instance: ContainerInstance, address: PodAddress): string {
  const { pod, podRef, vpc } = instance.spec;
  const isWhole = pod.hostnameOverride !== undefined || pod.hostNetwork === true;
  const hostname = isWhole ? hostnameOf(instance) : hostnameOf(instance).split('.')[0]!;
  const domain = pod.subdomain && !isWhole ? `${pod.subdomain}.${podRef.namespace}.svc.${vpc.clusterDomain}` : '';
  const names = domain === '' ? [hostname] : [`${hostname}.${domain}`, hostname];
  const lines = [
    pod.hostNetwork === true ? '# Kubernetes-managed hosts file (host network).' : '# Kubernetes-managed hosts file.',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
    [address.ip, ...names].join('\t'),
  ];
  const aliases = pod.hostAliases ?? [];
  if (aliases.length > 0) {
    lines.push('', '# Entries added by HostAliases.');
    for (const { ip, hostnames } of aliases) lines.push([ip, ...(hostnames ?? [])].join('\t'));
  }
  return `${lines.join('\n')}\n`;
}
