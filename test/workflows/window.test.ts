import fc from 'fast-check';
import { expect, it } from 'vitest';
import { inWindow } from '../../workflows/window.js';

const always = { gate: () => Promise.resolve(), goOn: () => true };

it('works on every item once, at most `width` at a time, outcomes in order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(5)), fc.integer({ min: 1, max: 6 }), async (items, width) => {
      let inWork = 0;
      let most = 0;
      const { done, left } = await inWindow(items, { ...always, width }, async (item) => {
        most = Math.max(most, ++inWork);
        for (let i = 0; i < item; i++) await Promise.resolve();
        inWork--;
        if (item === 5) throw new Error('five');
        return item * 2;
      });
      expect(most).toBeLessThanOrEqual(width);
      expect(left).toEqual([]);
      expect(done.map(({ item }) => item)).toEqual(items);
      for (const one of done) {
        expect(one.ok).toBe(one.item !== 5);
        if (one.ok) expect(one.value).toBe(one.item * 2);
      }
    }),
  );
});

it('begins nothing more once it may not go on, and finishes what is in work', async () => {
  const begun: number[] = [];
  const goOn = (): boolean => begun.length < 3;
  const result = await inWindow([1, 2, 3, 4, 5], { ...always, goOn, width: 2 }, async (item) => {
    begun.push(item);
    await Promise.resolve();
    return item;
  });
  expect(result.done.map(({ item }) => item)).toEqual([1, 2, 3]);
  expect(result.left).toEqual([4, 5]);
});

it('holds at the gate', async () => {
  let open = (): void => undefined;
  const gate = new Promise<void>((resolve) => (open = resolve));
  const begun: number[] = [];
  const all = inWindow([1, 2], { ...always, gate: () => gate, width: 2 }, (item) => {
    begun.push(item);
    return Promise.resolve();
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(begun).toEqual([]);
  open();
  await all;
  expect(begun).toEqual([1, 2]);
});

it('fails as its gate fails, after what was in work', async () => {
  let finished = false;
  let passes = 1;
  const gate = (): Promise<void> =>
    passes-- > 0 ? Promise.resolve() : Promise.reject(new Error('cancelled'));
  const all = inWindow([1, 2], { ...always, gate, width: 2 }, async () => {
    await new Promise((resolve) => setImmediate(resolve));
    finished = true;
  });
  await expect(all).rejects.toThrow('cancelled');
  expect(finished).toBe(true);
});
