import { setTimeout as pause } from 'node:timers/promises';

/** kube-apiserver's plug-ins and policies hear of what they follow a moment later. */
export const settle = () => pause(1500);
