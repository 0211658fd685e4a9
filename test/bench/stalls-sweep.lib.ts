export async function sweep(_: any): Promise<void> {}
