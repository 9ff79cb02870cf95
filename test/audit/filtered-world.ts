import { RULES, click } from './world.js';
import type { World } from './world.js';

const raw = (more: object = {}): object => ({
  ...{ ad_id: 'a', country: 'US', device: 'mobile', user_id: 'u' },
  ...more,
});
const ROBOT = raw({ agent: 'a bot' });
const US_MOBILE = ['country:US', 'device:mobile'];

/** A world whose rule set takes out robots, and more than two clicks of a user, written by hand. */
export const FILTERED: World = {
  rules: {
    ...RULES,
    filters: [
      { reason: 'too_many', cap: { field: 'user_id', max: 2 } },
      { reason: 'robot', when: [{ field: 'agent', matches: 'bot' }] },
    ],
  },
  partitions: [
    [
      click('counted', 'e1', 0, US_MOBILE, raw()),
      { ...click('filtered', 'e2', 0, [], ROBOT), reason: 'robot' },
      click('duplicate', 'e1', 0, [], raw()),
      click('counted', 'e3', 0, US_MOBILE, raw()),
      { ...click('filtered', 'e4', 0, [], raw()), reason: 'too_many' },
      click('counted', 'e5', 1, US_MOBILE, raw()),
      { ...click('filtered', 'e6', 65, [], ROBOT), reason: 'robot' },
      // A duplicate of one that was filtered.
      click('duplicate', 'e4', 0, [], raw()),
      // The cut of 10:00 is here: late are one above the cap, and a robot.
      click('late', 'e7', 0, US_MOBILE, raw()),
      click('late', 'e8', 2, US_MOBILE, ROBOT),
      click('duplicate', 'e2', 0, [], ROBOT),
    ],
    [
      click('counted', 'e9', 0, US_MOBILE, raw()),
      click('counted', 'e10', 0, US_MOBILE, raw({ user_id: 7 })),
    ],
  ],
  flushEnds: [[4, 8, 11], [2]],
  cut: [8, 2],
};
