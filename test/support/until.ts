/**
 * Polls until `condition` gives something truthy and returns it.
 * @throws Error naming what was waited for, and the last error of the condition, at the deadline.
 */
export async function until<T>(
  what: string,
  condition: () => Promise<T> | T,
  options: { deadlineMs?: number; everyMs?: number } = {},
): Promise<NonNullable<T>> {
  const deadlineMs = options.deadlineMs ?? 120_000;
  const end = performance.now() + deadlineMs;
  for (;;) {
    let last: unknown;
    try {
      const value = await condition();
      if (value) return value;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end) {
      throw new Error(`after ${String(deadlineMs)} ms still not: ${what}`, { cause: last });
    }
    await new Promise((resolve) => setTimeout(resolve, options.everyMs ?? 50));
  }
}
