"""Several runs may declare two records to be different people, and each of them is undone by itself."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    with op.batch_alter_table("split_pairs") as table:
        table.drop_constraint("pk_split_pairs", type_="primary")
        table.create_primary_key(
            "pk_split_pairs", ["source_system", "left_record_id", "right_record_id", "run_id"]
        )
