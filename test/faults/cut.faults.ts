// The cut test of `npm test`, ten times as long.
process.env['CUTS'] ??= '200';
await import('../stream/cut.int.test.js');
