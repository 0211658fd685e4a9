/**
 * The words of the framework, after Kubernetes' scheduling framework (KEP-624): a *unit* (a pod, a container instance) is
 * placed on a *target* (a virtual node, a host). A plug-in is a pure function of the unit and the *view*, the snapshot
 * of the cluster as this unit sees it; what it prepares once a unit is then asked about each target.
 */
export interface Target {
  readonly name: string;
}

/** What happened to the cluster, as far as it may help a unit that found no place. */
export type ClusterChange =
  | 'targetAdded'
  | 'targetUpdated'
  /** A unit was placed: affinity may now be satisfied. */
  | 'unitPlaced'
  /** A placed unit left, or changed its labels. */
  | 'unitRemoved'
  /** Another kind of object that filters look at (claims, namespaces). */
  | 'related';

export interface Rejection {
  /** As printed: `node(s) were unschedulable`. */
  reasons: string[];
  /** False when no removal of other units could help (upstream's UnschedulableAndUnresolvable). */
  resolvable: boolean;
}

export interface FilterPlugin<Unit, T extends Target, View> {
  name: string;
  /** The changes after which a unit this filter rejected is worth another try. */
  helpedBy: readonly ClusterChange[];
  /** Undefined: nothing to check for this unit. A string: the unit fits nowhere, and why. */
  prepare(unit: Unit, view: View): ((target: T) => Rejection | undefined) | string | undefined;
}

export interface ScorePlugin<Unit, T extends Target, View> {
  name: string;
  weight: number;
  /**
   * Undefined: every target is as good as another. Otherwise any finite number a target, more is better; the framework
   * brings the feasible targets' scores to 0..100 (`normalize`: lowest to 0, highest to 100) or takes them as they are.
   */
  prepare(unit: Unit, view: View): ((target: T) => number) | undefined;
  normalize: boolean;
}
