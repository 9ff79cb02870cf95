/** What became of one item. */
export type Outcome<T, R> =
  | { readonly item: T; readonly ok: true; readonly value: R }
  | { readonly item: T; readonly ok: false; readonly error: unknown };

export interface WindowOptions {
  /** Items in work at the same time. */
  readonly width: number;
  /** Awaited before each item is begun: a pause holds here. */
  gate(): Promise<void>;
  /** False: no further item is begun; those in work are finished. */
  goOn(): boolean;
}

/**
 * Works through items with a sliding window: as soon as one is done, the next is begun. An item that
 * fails does not stop the others. Outcomes are in the order of the items; `left` were never begun.
 */
export async function inWindow<T, R>(
  items: readonly T[],
  options: WindowOptions,
  work: (item: T) => Promise<R>,
): Promise<{ readonly done: readonly Outcome<T, R>[]; readonly left: readonly T[] }> {
  const outcomes: (Outcome<T, R> | undefined)[] = items.map(() => undefined);
  let next = 0;
  const lane = async (): Promise<void> => {
    for (;;) {
      await options.gate();
      if (next >= items.length || !options.goOn()) return;
      const index = next++;
      const item = items[index]!;
      try {
        outcomes[index] = { item, ok: true, value: await work(item) };
      } catch (error) {
        outcomes[index] = { item, ok: false, error };
      }
    }
  };
  const width = Math.min(options.width, items.length);
  const lanes = await Promise.allSettled(Array.from({ length: width }, lane));
  // Only the gate can fail a lane; the others have ended by now.
  for (const result of lanes) if (result.status === 'rejected') throw result.reason;
  return { done: outcomes.filter((one) => one !== undefined), left: items.slice(next) };
}
