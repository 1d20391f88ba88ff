import { dirname } from 'node:path'

// Under a sanitizer (scripts/native.mjs) the addon needs its runtime loaded first. Programs that a test starts go
// without, or a shell that forks thousands would take minutes; but Node, by its name or by its path, is the small
// script that loads the runtime again.
const script = process.env.PROCMUSTER_SANITIZER_NODE!
delete process.env.LD_PRELOAD
if (process.execPath !== script) {
  process.execPath = script
  process.env.PATH = `${dirname(script)}:${process.env.PATH}`
}
