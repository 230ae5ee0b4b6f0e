# One EM iteration at a time by a package of R, for benchmarks/families.py: Rscript families.R PACKAGE MODEL FILE.
# FILE holds doubles: n, k, columns c, parameters p, the columns, the responsibilities at the start (n x k), weights, and the
# start's parameters (k x p). For every line read one iteration is made, and its processor time written, in seconds; the first
# line tells the version.
arguments <- commandArgs(trailingOnly = TRUE)
package <- arguments[1]; model <- arguments[2]
suppressMessages(library(package, character.only = TRUE))
values <- readBin(arguments[3], "double", n = file.size(arguments[3]) / 8)
n <- values[1]; k <- values[2]; columns <- values[3]; p <- values[4]; at <- 4
take <- function(count) { part <- values[at + seq_len(count)]; at <<- at + count; part }
x <- matrix(take(n * columns), n, columns)
shares <- matrix(take(n * k), n, k); weights <- take(k); start <- matrix(take(k * p), k, p)
rm(values)
y <- x[, 1]
by_flexmix <- function(of) function(iterations) flexmix(
  y ~ 1, k = k, cluster = shares, model = of, control = list(iter.max = iterations, minprior = 0, tolerance = -1)
)
runs <- list(
  "flexmix poissons" = function() by_flexmix(FLXMCmvpois()),
  "flexmix exposed" = function() by_flexmix(FLXMRglm(family = "poisson", offset = log(x[, 2]))),
  "flexmix exponentials" = function() by_flexmix(FLXMCdist1(dist = "exp")),
  "flexmix gammas" = function() by_flexmix(FLXMCdist1(dist = "gamma")),
  "mixtools poissons" = function() function(iterations) poisregmixEM(
    y, matrix(1, n, 1), lambda = weights, beta = log(t(start)), addintercept = FALSE, epsilon = -1, maxit = iterations
  ),
  "mixtools exponentials" = function() function(iterations) expRMM_EM(
    y, if (columns > 1) 1 - x[, 2] else NULL, lambda = weights, rate = start[, 1], epsilon = -1, maxit = iterations
  ),
  "mixtools gammas" = function() function(iterations) gammamixEM(
    y, lambda = weights, alpha = start[, 1], beta = 1 / start[, 2], mom.start = FALSE, epsilon = -1, maxit = iterations
  ),
  "flexmix regressions" = function() by_flexmix(FLXMRglm(y ~ x[, 2])),
  "mixtools regressions" = function() function(iterations) regmixEM(
    y, cbind(1, x[, 2]), lambda = weights, beta = t(start[, -p]), sigma = sqrt(start[, p]), addintercept = FALSE,
    epsilon = -1, maxit = iterations
  )
)
iterate <- runs[[paste(package, model)]]()
# The package has no function for one step: what more iterations take beyond one run, without the start's cost.
run <- function(iterations) {
  made <- system.time(suppressWarnings(capture.output(invisible(iterate(iterations)))))
  sum(made[c("user.self", "sys.self")])
}
# The first run has costs of its own.
invisible(run(2))
more <- NULL
step <- function() {
  few <- run(2)
  # As many as make a difference beside the noise of the clock.
  if (is.null(more)) more <<- if (few > 4) 4 else if (few > 1) 10 else 30
  (run(2 + more) - few) / more
}
cat(as.character(packageVersion(package)), "\n"); flush(stdout())
input <- file("stdin", "r")
while (length(readLines(input, 1)) > 0) { cat(step(), "\n"); flush(stdout()) }
