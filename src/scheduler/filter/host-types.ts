import type { ContainerInstance } from '../../api/pool.ts';
import type { FilterPlugin, ScorePlugin } from '../framework/plugin.ts';
import type { HostInfo, PoolSnapshot } from '../snapshot/pool-snapshot.ts';

export type HostFilter = FilterPlugin<ContainerInstance, HostInfo, PoolSnapshot>;
export type HostScore = ScorePlugin<ContainerInstance, HostInfo, PoolSnapshot>;
