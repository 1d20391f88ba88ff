import type { ProcessRow, Rule, Table } from '../../index.js'

/** How many processes of a sample each rule is about; left out are rules about a pid, about all, or a command line. */
export function matchingNow(table: Table, rules: readonly Rule[]): { rule: string; processes: number }[] {
  return rules.flatMap(({ name: rule, match = {} }) => {
    const { name, user, pid, commandLine, kernelThreads } = match
    if (pid !== undefined || commandLine !== undefined || (name === undefined && user === undefined))
      return []
    const fits = [name].flat().map(nameTest)
    const users = [user].flat()
    const rows = users.flatMap((each) => table.filter(each === undefined ? {} : { user: String(each) }))
    return {
      rule,
      processes: rows.filter(
        (row) => fits.some((test) => test(row)) && (kernelThreads || !row.isKernelThread),
      ).length,
    }
  })
}

/** As rules have it: the whole name, or a pattern between slashes. */
function nameTest(name: string | undefined): (row: ProcessRow) => boolean {
  if (name === undefined) return () => true
  const slashed = /^\/(.+)\/([isu]*)$/s.exec(name)
  if (slashed === null) return (row) => row.name === name
  const pattern = new RegExp(slashed[1]!, slashed[2])
  return (row) => pattern.test(row.name)
}
