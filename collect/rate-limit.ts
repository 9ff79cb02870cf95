/**
 * Token buckets, one per client, in bounded memory: a client may send `perSecond`, and after a
 * pause a burst of up to as many at once. Of the client that was seen longest ago the bucket is
 * given up when there are too many: then it is a new one, and its bucket is full.
 */
export class RateLimit {
  /** In the order in which the clients were seen last. */
  private readonly buckets = new Map<string, { tokens: number; atMs: number }>();

  constructor(
    private readonly perSecond: number,
    private readonly clientsMax = 100_000,
  ) {}

  get clients(): number {
    return this.buckets.size;
  }

  /** Takes one request of a client: 0, or the whole seconds after which it may try again. */
  take(client: string, nowMs: number): number {
    const bucket = this.buckets.get(client) ?? { tokens: this.perSecond, atMs: nowMs };
    const earned = (Math.max(0, nowMs - bucket.atMs) / 1000) * this.perSecond;
    const tokens = Math.min(this.perSecond, bucket.tokens + earned);
    this.buckets.delete(client);
    this.buckets.set(client, { tokens: tokens < 1 ? tokens : tokens - 1, atMs: nowMs });
    if (this.buckets.size > this.clientsMax) {
      this.buckets.delete(this.buckets.keys().next().value!);
    }
    return tokens < 1 ? Math.max(1, Math.ceil((1 - tokens) / this.perSecond)) : 0;
  }
}
