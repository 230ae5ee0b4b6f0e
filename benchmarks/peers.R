# One EM iteration at a time by a package of R, for benchmarks/peers.py: Rscript peers.R PACKAGE MODEL FILE.
# FILE holds doubles: n, d, k, the rows column after column, weights, means (d x k) and covariances (d x d x k).
# For every line read one iteration is made, and its processor time written, in seconds; the first line tells the version.
arguments <- commandArgs(trailingOnly = TRUE)
package <- arguments[1]; model <- arguments[2]
suppressMessages(library(package, character.only = TRUE))
values <- readBin(arguments[3], "double", n = file.size(arguments[3]) / 8)
n <- values[1]; d <- values[2]; k <- values[3]; at <- 3
take <- function(count) { part <- values[at + seq_len(count)]; at <<- at + count; part }
y <- matrix(take(n * d), n, d)
weights <- take(k); means <- matrix(take(d * k), d, k); covariances <- array(take(d * d * k), c(d, d, k))
rm(values)
used <- function(made) sum(made[c("user.self", "sys.self")])
if (package == "mclust") {
  if (d == 1) { y <- as.vector(y); means <- as.vector(means) }
  variance <- list(modelName = model, d = d, G = k)
  if (model == "V") variance$sigmasq <- as.vector(covariances)
  if (model == "VVV") {
    variance$sigma <- covariances
    variance$cholsigma <- array(apply(covariances, 3, chol), c(d, d, k))
  }
  if (model == "VVI") {
    diagonals <- matrix(apply(covariances, 3, diag), d, k)
    variance$scale <- apply(diagonals, 2, function(v) exp(mean(log(v))))
    variance$shape <- sweep(diagonals, 2, variance$scale, "/")
  }
  parameters <- list(pro = weights, mean = means, variance = variance)
  # R's clock tells milliseconds, so that few rows are gone over many times.
  times <- ceiling(2e5 / n)
  step <- function() used(system.time(for (i in seq_len(times)) {
    made <- estep(data = y, modelName = model, parameters = parameters)
    mstep(data = y, modelName = model, z = made$z)
  })) / times
} else {
  # The package has no function for one step: what two iterations take beyond one run, without the start's cost.
  run <- function(iterations) used(system.time(suppressWarnings(capture.output(normalmixEM(
    as.vector(y), lambda = weights, mu = as.vector(means), sigma = sqrt(as.vector(covariances)) * (1 + 1e-9 * seq_len(k)),
    epsilon = -1, maxit = iterations
  )))))
  step <- function() (run(12) - run(2)) / 10
}
cat(as.character(packageVersion(package)), "\n"); flush(stdout())
input <- file("stdin", "r")
while (length(readLines(input, 1)) > 0) { cat(step(), "\n"); flush(stdout()) }
