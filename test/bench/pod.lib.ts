/** The pod of the benchmarks: small, as most are. */
export function benchPod(name: string): object {
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: { name, labels: { app: 'bench' } },
    spec: {
      containers: [
        {
          name: 'main',
          image: 'registry.example/app:1',
          command: ['/bin/app', '--serve'],
          env: [{ name: 'A', value: 'b' }],
          ports: [{ containerPort: 80 }],
          resources: { requests: { cpu: '250m', memory: '128Mi' }, limits: { memory: '256Mi' } },
        },
      ],
    },
  };
}
