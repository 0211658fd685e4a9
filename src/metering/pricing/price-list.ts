/** What a second costs. Zones may have prices of their own. */
export interface PriceList {
  currency: string;
  perVcpuSecond: number;
  perGibSecond: number;
  zones?: Record<string, { perVcpuSecond: number; perGibSecond: number }>;
}

/** 0.04 an hour for a vCPU and 0.0044 for a GiB: about what public clouds ask for serverless containers. */
export const DEFAULT_PRICES: PriceList = {
  currency: 'USD',
  perVcpuSecond: 0.04 / 3600,
  perGibSecond: 0.0044 / 3600,
};

export function costOf(prices: PriceList, zone: string, usage: { vcpuSeconds: number; gibSeconds: number }): number {
  const { perVcpuSecond, perGibSecond } = prices.zones?.[zone] ?? prices;
  return usage.vcpuSeconds * perVcpuSecond + usage.gibSeconds * perGibSecond;
}
