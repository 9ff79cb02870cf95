import { it } from 'vitest';

type RegisterTest = (name: string, body: () => unknown, timeoutMs?: number) => void;

/**
 * The only way a test of this repository skips itself: with a reason, which the summary repeats
 * at the end of the run.
 *
 * `const itOnSample = skipUnless(existsSync(SAMPLE), 'the click sample is not on this machine');`
 * then `itOnSample('counts every click once', async () => { … })`.
 */
export function skipUnless(condition: boolean, why: string): RegisterTest {
  if (condition) {
    return (name, body, timeoutMs) => {
      it(name, timeoutMs === undefined ? {} : { timeout: timeoutMs }, async () => {
        await body();
      });
    };
  }
  return (name) => {
    it(name, (context) => {
      context.skip(why);
    });
  };
}
