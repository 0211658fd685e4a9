/** On the object that shows a node's static pod: its node wrote it, and nobody else changes it. */
export const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror';

export const isMirrorPod = ({ metadata }: { metadata: { annotations?: Record<string, string> } }): boolean =>
  metadata.annotations?.[MIRROR_ANNOTATION] !== undefined;
