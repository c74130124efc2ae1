"""Property tables of products and of the ledger under them; account numbers are not patchable."""

from __future__ import annotations

from simulators.poweroffice.fields import schema

PRODUCT = schema(
    "Product",
    "Product",
    """
    Code str(100) RPU
    CreatedDateTimeOffset datetime R
    CreatedFromImportJournalId uuid R
    Description str RPU
    Gtin str RPU
    Id int R
    IsArchived bool RPU =false
    IsStockItem bool RPU =false
    LastChangedDateTimeOffset datetime R
    Name str(400) RPU
    OptionalSalesAccount int RP
    OptionalSalesAccountAgricultureDepartment AgricultureDepartment RP
    OptionalSalesAccountId int RPU
    ProductGroupCode str RP
    ProductGroupId int RPU
    ProductType ProductType RPU ="Product"
    StandardSalesAccount int RP
    StandardSalesAccountAgricultureDepartment AgricultureDepartment RP
    StandardSalesAccountId int RPU
    StockAvailable float R
    StockOnHand float RPU
    StockOnHandLastChangedDatetimeOffset datetime R
    UnitCost float RPU
    UnitOfMeasureCode UnitOfMeasureType RPU
    UnitPrice float RPU
    """,
)

PRODUCT_GROUP = schema(
    "ProductGroup",
    "Product group",
    """
    Code str(200) RPU
    CreatedDateTimeOffset datetime R
    CreatedFromImportJournalId uuid R
    Description str RPU
    Id int R
    IsArchived bool RPU =false
    LastChangedDateTimeOffset datetime R
    Name str(400) RPU
    OptionalSalesAccount int RP
    OptionalSalesAccountAgricultureDepartment AgricultureDepartment RP
    OptionalSalesAccountId int RPU
    ProductType ProductType RPU ="Product"
    StandardSalesAccount int RP
    StandardSalesAccountAgricultureDepartment AgricultureDepartment RP
    StandardSalesAccountId int RPU
    UnitCost float RPU
    UnitOfMeasureCode UnitOfMeasureType RPU
    UnitPrice float RPU
    """,
)

ACCOUNT = schema(
    "GeneralLedgerAccount",
    "General ledger account",
    """
    AccountNo int RP
    AgricultureDepartment AgricultureDepartment RPU
    CurrencyCode str RPU
    DepartmentCode str RP
    DepartmentId int RPU
    GeneralLedgerAccountType GeneralLedgerAccountType R
    Id int R
    IsActive bool RPU =true
    IsDepartmentRequired bool RPU =false
    IsProjectRequired bool RPU =false
    IsVatCodeLocked bool RPU =false
    LastChangedDateTimeOffset datetime R
    Name str RPU
    Unit1 UnitOfMeasureType RPU
    Unit2 UnitOfMeasureType RPU
    VatCode str RP
    VatCodeId int32 RPU
    VatReturnSpecification VatReturnSpecification RPU
    """,
)

VAT_CODE = schema(
    "VatCode",
    "Vat code",
    """
    BaseVatCodeId int R
    Code str R
    Description str R
    Id int R
    IsActive bool R
    IsCustom bool R
    Name str R
    Rate float R
    ValidFrom date R
    ValidTo date R
    VatBasisRatio float R
    VatBasisRatioValidFrom datetime R
    VatBasisRatios object R
    """,
)

CURRENCY = schema(
    "Currency",
    "Currency",
    """
    Code str R
    IsActive bool R
    Notation str R
    """,
)
