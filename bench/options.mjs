import { parseArgs } from 'node:util'

/**
 * Options by their defaults: a number takes a number, a string a string; `--json` is everyone's. Undefined once the help
 * has been printed.
 */
export function parseOptions(args, usage, defaults) {
  const options = { json: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } }
  for (const [name, value] of Object.entries(defaults)) {
    options[name] = { type: 'string', ...(value !== undefined && { default: String(value) }) }
  }
  const { values } = parseArgs({ args, options })
  if (values.help) {
    console.log(usage)
    return undefined
  }
  for (const [name, value] of Object.entries(defaults)) {
    if (typeof value !== 'number') continue
    values[name] = Number(values[name])
    if (!(values[name] >= 0)) throw new Error(`--${name} takes a number`)
  }
  return values
}
