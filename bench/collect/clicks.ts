/** Ads of the load: click n is one of ad n modulo this. */
export const ADS = 5_000;

/** The body of the n-th click: whoever reads the log afterwards knows what to expect. */
export function bodyOf(
  { run, timeMs }: { readonly run: string; readonly timeMs: number },
  n: number,
): string {
  const user = String(n % 200_000);
  return (
    `{"event_id":"${run}-${String(n)}","ad_id":"ad-${String(n % ADS)}","timestamp":${String(timeMs)},` +
    `"user_id":"u${user}","ip":"10.1.2.3","country":"US","device":"mobile","ad_format":"text"}`
  );
}
