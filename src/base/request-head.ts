/**
 * So long may a request's line and headers be together: commands for exec stand in its query, and Node's own 16 KiB hold
 * none of the longer ones. Enough for any argument that Linux takes (128 KiB); kube-apiserver takes 1 MiB, of fewer clients.
 */
export const MAX_HEAD_BYTES = 160 * 1024;
