import { renameSync, writeFileSync } from 'node:fs';
import { stringify } from 'yaml';

export interface KubeconfigContent {
  /** `https://127.0.0.1:6443` */
  server: string;
  /** The other control planes': each gets a context of its own, `skypod-TENANT@HOST:PORT`. */
  peers?: string[];
  tenant: string;
  user: string;
  caCertificatePem: string;
  clientCertificatePem: string;
  clientKeyPem: string;
}

const base64 = (text: string) => Buffer.from(text).toString('base64');

/** Writes a kubeconfig whole or not at all; readable by its owner only, since it holds a key. */
export function writeKubeconfig(path: string, content: KubeconfigContent): void {
  const name = `skypod-${content.tenant}`;
  const user = `${name}-${content.user}`;
  const clusters = [
    { name, server: content.server },
    ...(content.peers ?? []).map((server) => ({ name: `${name}@${new URL(server).host}`, server })),
  ];
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: clusters.map((cluster) => ({
      name: cluster.name,
      cluster: { server: cluster.server, 'certificate-authority-data': base64(content.caCertificatePem) },
    })),
    users: [
      {
        name: user,
        user: {
          'client-certificate-data': base64(content.clientCertificatePem),
          'client-key-data': base64(content.clientKeyPem),
        },
      },
    ],
    contexts: clusters.map((cluster) => ({
      name: cluster.name,
      context: { cluster: cluster.name, user, namespace: 'default' },
    })),
    'current-context': name,
  };
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, stringify(kubeconfig), { mode: 0o600 });
  renameSync(temporary, path);
}
