"""The study of intervals where likelihoods say nothing: random policies of a few reward classes."""

from replication.pipeline.io import save_csv, write_table
from replication.pipeline.job import job
from replication.studies.classes import study_classes

if __name__ == "__main__":
    with job(snakemake):
        write_table(
            study_classes(
                snakemake.params.study["class_policies"],
                snakemake.params.study["repeats"],
                snakemake.params.seed,
            ),
            snakemake.output.parquet,
        )
        save_csv(snakemake.output.parquet, snakemake.output.csv)
