/** What one container instance uses: one row of a host's `/v1/stats`. */
export interface InstanceStats {
  uid: string;
  containers: {
    name: string;
    /** Average over the window; absent until two samples are there. */
    cpuNanoCores?: number;
    /** CPU time since the container began. */
    cpuUsageCoreNanoSeconds: number;
    memoryWorkingSetBytes: number;
    /** With caches, and what no file backs; absent where the runtime cannot tell. */
    memoryUsageBytes?: number;
    memoryRssBytes?: number;
    /** RFC 3339. */
    timestamp: string;
    windowSeconds: number;
  }[];
}
