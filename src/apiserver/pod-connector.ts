export type { PodConnector, PodExecOptions, PodLogOptions, RemoteSession } from '../api/pod-connector.ts';
