/**
 * Runs the calls to a handler one after the other, in the order in which they were asked for.
 * A failed call does not hinder the next.
 */
export class HandlerGate {
  private tail: Promise<unknown> = Promise.resolve();
  private waiting = 0;

  /** True while a call runs or waits. */
  get isBusy(): boolean {
    return this.waiting > 0;
  }

  run<T>(call: () => Promise<T> | T): Promise<T> {
    this.waiting += 1;
    const result = this.tail.then(call).finally(() => {
      this.waiting -= 1;
    });
    this.tail = result.catch(() => undefined);
    return result;
  }
}

/** Waits for `promise`, but no longer than `ms`; tells whether it settled. Never rejects. */
export async function settlesWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => {
      resolve(false);
    }, ms);
  });
  const settled = promise.then(
    () => true,
    () => true,
  );
  try {
    return await Promise.race([settled, late]);
  } finally {
    clearTimeout(timer);
  }
}
